"""`migrate` brings the database of a project up to date, once."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from local_supabase.process import LocalSupabase
from services.errors import ConfigurationError, DatabaseUnavailable
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.database import Database
from services.operations.migrations import migrate, missing_migrations
from tests.world import World

pytestmark = pytest.mark.integration


async def test_a_project_without_tables_gets_them_and_its_role_a_password(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    files = [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    async with LocalSupabase.start(data=tmp_path / "data", migrations=tmp_path / "none") as project:
        owner = project.status.database_url
        assert await migrate(owner, app_password=SecretStr("a 'quoted' password")) == files
        assert await migrate(owner) == []
        url = make_url(owner.get_secret_value()).set(username=APP_ROLE, password="a 'quoted' password")
        async with Database(SecretStr(url.render_as_string(hide_password=False)), pool_size=1) as database:
            await database.verify()
            assert await missing_migrations(database) == []


async def test_a_role_that_owns_nothing_is_told_so(world: World) -> None:
    assert world.status.app_database_url
    with pytest.raises(ConfigurationError, match=r"permission denied .* postgres in a Supabase project"):
        await migrate(world.status.app_database_url)


async def test_a_database_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as told:
        await migrate(SecretStr("postgresql://postgres:hush@127.0.0.1:1/postgres"))
    assert "hush" not in str(told.value)
    with pytest.raises(DatabaseUnavailable):
        async with Database(SecretStr("postgresql://livewatch_app:hush@127.0.0.1:1/postgres"), pool_size=1) as database:
            await missing_migrations(database)
