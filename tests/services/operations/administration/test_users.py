"""The command `user` of main.py, run as a process, and the link of the first set-up."""

import re
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from local_supabase.process import LocalSupabase
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.operations.administration.users import SETUP_ORGANIZATION, setup_link
from services.operations.migrations import connect_as_owner
from services.people.invitations import Outcome, accept
from tests.app_process import running
from tests.services.operations.administration.command import said
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.integration
LINK = re.compile(r"http://[\w.:-]+/invitation/([\w-]{43})")


@pytest.fixture
def environment(world: World) -> dict[str, str]:
    """Settings for the local Supabase that runs for all tests."""
    return {"LIVEWATCH_DATA": str(world.data)}


async def test_a_person_is_added_by_a_link_listed_and_removed(world: World, environment: Mapping[str, str]) -> None:
    person, org = await world.person(), f"Ünique {uuid4().hex[:8]}"
    code, output, errors = await said(
        environment, "user", "add", person.email.upper(), "--org", org, "--admin", "--url", "http://watch.example.org/"
    )
    assert code == 0, errors
    match = LINK.fullmatch(output.strip())
    assert match, output
    assert output.startswith("http://watch.example.org/invitation/")
    assert match[1] not in errors
    joined, outcome = await accept(world.database, person.identity, match[1])
    assert outcome is Outcome.JOINED
    assert await world.sql("select name from organizations where id = %s", joined) == [(org,)]
    code, output, _ = await said(environment, "user", "list")
    assert code == 0
    assert re.search(rf"{re.escape(person.email)} .* {re.escape(org)} \(admin\)\n", output)
    code, _, errors = await said(environment, "user", "remove", person.email)
    assert (code, "Removed" in errors) == (0, True)
    code, _, errors = await said(environment, "user", "remove", person.email)
    assert code == 2
    assert f"There is no user '{person.email}'" in errors


@pytest.mark.parametrize("email", ["", "nobody", "a@b, c@d", "@", "a b@c"])
async def test_what_is_no_address_is_named(environment: Mapping[str, str], email: str) -> None:
    code, output, errors = await said(environment, "user", "add", email)
    assert (code, output) == (2, "")
    assert "is not an e-mail address" in errors


async def test_the_first_start_that_others_can_reach_prints_a_link_that_works_once(tmp_path: Path) -> None:
    environment = {"LIVEWATCH_DATA": str(tmp_path / "data"), "LIVEWATCH_DEMO": "0", "LIVEWATCH_PORT": "0"}
    async with running(environment) as app, httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        await until(lambda: LINK.search("\n".join(app.lines)), within=10, what="the link is printed")
        match = LINK.search("\n".join(app.lines))
        assert match
        form = {"token": match[1], "name": "Ada", "email": "ada@example.org", "password": "engines engines"}
        answer = await http.post("/session/join", data=form)
        assert answer.headers["location"].startswith("/?org="), answer.headers
        page = await http.get("/")
        assert page.status_code == 200
        assert SETUP_ORGANIZATION in page.text
        http.cookies.clear()
        again = await http.post("/session/join", data={**form, "email": "b@example.org"})
        assert again.headers["location"].startswith("/invitation/")


async def test_an_unused_set_up_link_is_replaced_and_a_member_ends_them(tmp_path: Path) -> None:
    async with (
        LocalSupabase.start(data=tmp_path / "data", migrations=MIGRATIONS, app_role=APP_ROLE, user=DEMO_EMAIL) as local,
        await connect_as_owner(local.status.database_url) as connection,
    ):
        links = [await setup_link(connection, address="http://x", demo_email=DEMO_EMAIL) for _ in range(2)]
        assert links[0] != links[1]
        cursor = await connection.execute("select count(*) from organizations")
        assert await cursor.fetchone() == (1,)
        await connection.execute(
            "insert into org_members (org_id, user_id)"
            " select org.id, person.id from organizations as org, auth.users as person"
        )
        assert await setup_link(connection, address="http://x", demo_email=DEMO_EMAIL) is not None
        await connection.execute("update auth.users set email = 'ada@example.org'")
        assert await setup_link(connection, address="http://x", demo_email=DEMO_EMAIL) is None
