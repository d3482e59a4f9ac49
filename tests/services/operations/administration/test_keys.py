"""The command `key` of main.py, run as a process."""

import re
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from pydantic import SecretStr

from services.errors import IngestRefused
from services.ingest.keys import ApiKeyVerifier
from services.operations.migrations import connect_as_owner, migrate
from tests.app_process import project_settings
from tests.services.operations.administration.command import said
from tests.world import World

pytestmark = pytest.mark.integration

TOKEN = re.compile(r"lw_([0-9a-f]{12})_([\w-]{43})\n")


@pytest.fixture
def running(world: World) -> dict[str, str]:
    """Settings for the local Supabase that runs for all tests."""
    return {"LIVEWATCH_DATA": str(world.data)}


async def test_a_key_is_created_printed_alone_listed_and_revoked(world: World, running: Mapping[str, str]) -> None:
    name = f"Ünique {uuid4().hex[:8]}"
    org = await world.organization(name)
    code, output, errors = await said(
        running, "key", "create", " ci ", "--org", name.upper(), "--scope", "alerts, runs,runs", "--days", "30"
    )
    assert code == 0, errors
    match = TOKEN.fullmatch(output)
    assert match, "standard output has the key alone"
    public_id, secret = match.groups()
    assert secret not in errors
    assert errors.endswith(
        f"Created the key ci ({public_id}) of {name} for runs, alerts. It is shown only this once.\n"
    )
    verified = await ApiKeyVerifier(world.database).verify(output.strip())
    assert (verified.org_id, verified.label, sorted(verified.scopes)) == (org, "ci", ["alerts", "runs"])
    code, listed, _ = await said(running, "key", "list", "--org", str(org).upper())
    assert code == 0
    header, line = listed.splitlines()
    assert " ".join(header.split()) == "PUBLIC ID CREATED LAST USED EXPIRES REVOKED SCOPES ORGANISATION NAME"
    assert line.startswith(public_id)
    assert re.search(rf" -  +[0-9]{{4}}-.* -  +runs,alerts  {name}  ci$", line)
    code, everything, _ = await said(running, "key", "list")
    assert public_id in everything
    # The whole key is taken, too, and never repeated.
    for state in ("Revoked the key", "Already revoked: the key"):
        code, revoked, errors = await said(running, "key", "revoke", output.strip())
        assert (code, revoked) == (0, "")
        assert errors.endswith(f"{state} ci ({public_id}) of {name}.\n")
        assert secret not in errors
    with pytest.raises(IngestRefused):
        await ApiKeyVerifier(world.database).verify(output.strip())


async def test_what_a_value_names_is_said_with_the_choices(world: World, running: Mapping[str, str]) -> None:
    name = f"Twice {uuid4().hex[:8]}"
    twins = [await world.organization(name), await world.organization(name)]
    secret = "y" * 43
    for words, sentences in (
        (["create", "ci"], ["There are several organisations: choose one with --org. Organisations:\n  "]),
        (["create", "ci", "--org", name], ["choose one with --org and its id", f"  {twins[0]}", f"  {twins[1]}"]),
        (["create", "ci", "--org", "no\x1b[31mne"], ["There is no organisation 'none'. Organisations:\n  "]),
        (["list", "--org", "none"], ["There is no organisation 'none'."]),
        (
            ["create", "ci", "--scope", "runs,write"],
            ["no scope 'write'. Choose from runs, alerts, notifications, read, commands."],
        ),
        (["create", "ci", "--scope", ""], ["There is no scope ''."]),
        (["create", " \u200b "], ["The name"]),
        (["create", "x" * 121], ["is not of 1 to 120 visible characters"]),
        (["revoke", "0123456789ab"], ["There is no key '0123456789ab'. Active keys:"]),
        (["revoke", f"lw_0123456789ab_{secret}"], ["There is no key '0123456789ab'."]),
        (["revoke", secret], ["There is no key of this id."]),
    ):
        code, output, errors = await said(running, "key", *words)
        assert (code, output) == (2, ""), errors
        assert all(sentence in errors for sentence in sentences), errors
        assert secret not in errors
        assert "\x1b" not in errors
    assert await world.sql("select count(*) from ingest_keys where org_id = any(%s)", twins) == [(0,)]


async def test_a_revoked_key_is_found_by_its_id(world: World, running: Mapping[str, str]) -> None:
    org = await world.organization()
    assert (await said(running, "key", "create", "by id", "--org", str(org)))[0] == 0
    ((id,),) = await world.sql("select id from ingest_keys where org_id = %s", org)
    assert (await said(running, "key", "revoke", str(id).upper()))[0] == 0
    assert await world.sql("select revoked_at is not null from ingest_keys where id = %s", id) == [(True,)]


async def test_a_project_needs_the_connection_of_its_owner(world: World) -> None:
    environment = project_settings(world.status, world.data)
    org = str(await world.organization())
    code, output, errors = await said(environment, "key", "create", "ci", "--org", org)
    assert (code, output) == (1, "")
    assert "The command failed: MIGRATE_DATABASE_URL is not set." in errors
    app = world.status.app_database_url
    assert app is not None
    code, output, errors = await said(
        {**environment, "MIGRATE_DATABASE_URL": app.get_secret_value()}, "key", "create", "ci", "--org", org
    )
    assert (code, output) == (1, "")
    assert "permission denied" in errors
    assert "must log in as the owner" in errors
    owner = world.status.database_url.get_secret_value()
    code, output, errors = await said(
        {**environment, "MIGRATE_DATABASE_URL": owner}, "key", "create", "ci", "--org", org
    )
    assert code == 0, errors
    assert TOKEN.fullmatch(output)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@[::1", "hunter2", "postgresql://u:hunter2@h/db?bad=1"])
async def test_a_malformed_url_of_the_owner_is_not_quoted(url: str) -> None:
    for attempt in (connect_as_owner, migrate):
        with pytest.raises(Exception, match="MIGRATE_DATABASE_URL is not a valid connection string") as raised:
            await attempt(SecretStr(url))
        assert "hunter2" not in str(raised.value)


async def test_the_first_key_of_a_new_installation_needs_no_browser() -> None:
    # Outside pytest's own folder, which is not accessible to PostgreSQL's user if pytest runs as root.
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        environment = {"LIVEWATCH_DATA": str(Path(folder) / "data")}
        code, output, errors = await said(environment, "key", "list")
        assert (code, output) == (0, ""), errors
        assert errors.endswith("There are no keys.\n")
        code, output, errors = await said(environment, "key", "create", "ci")
        assert code == 0, errors
        match = TOKEN.fullmatch(output)
        assert match
        assert f"Created the key ci ({match[1]}) of Demo organisation for runs, alerts, notifications." in errors
        code, output, _ = await said(environment, "key", "create", "second", "--org", "demo organisation")
        assert code == 0
        code, output, _ = await said(environment, "key", "list")
        assert [line.split()[-1] for line in output.splitlines()] == ["NAME", "second", "ci"]
