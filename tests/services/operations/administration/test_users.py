"""The command `user` of main.py, run as a process, and the link of the first set-up."""

import re
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from local_supabase.process import LocalSupabase
from services.auth.mail_links import MailLinks
from services.errors import LinkRefused, SessionExpired
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.operations.administration.users import SETUP_ORGANIZATION, setup_link
from services.operations.migrations import connect_as_owner
from services.people.invitations import Outcome, accept
from tests.app_process import project_settings, running
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


async def test_a_reset_prints_a_link_that_sets_a_password_and_is_noted(
    world: World, environment: Mapping[str, str]
) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    code, output, errors = await said(
        environment, "user", "reset", ada.email.upper(), "--url", "http://watch.example.org/"
    )
    assert code == 0, errors
    match = re.fullmatch(r"http://watch\.example\.org/session/confirm\?token_hash=(\w+)&type=recovery", output.strip())
    assert match, output
    assert match[1] not in errors
    links = MailLinks(world.auth)
    tokens = await links.redeem("recovery", match[1])
    assert tokens
    await links.set_password(tokens, SecretStr("a new password"))
    assert await world.auth.sign_in(ada.email, SecretStr("a new password"))
    with pytest.raises(SessionExpired):
        await world.auth.verify(ada.tokens)
    with pytest.raises(LinkRefused):
        await links.redeem("recovery", match[1])
    found = await world.sql("select actor, action from audit_events where org_id = %s order by id desc limit 1", org)
    assert found == [("the system", "password.link_created")]
    code, _, errors = await said(environment, "user", "reset", "nobody@example.org")
    assert (code, "There is no user 'nobody@example.org'" in errors) == (2, True)


async def test_a_reset_on_a_project_names_the_key_that_is_missing(world: World, tmp_path: Path) -> None:
    owner = {"MIGRATE_DATABASE_URL": world.status.database_url.get_secret_value()}
    settings = project_settings(world.status, tmp_path) | owner
    person = await world.person()
    code, _, errors = await said(settings, "user", "reset", person.email)
    assert (code, "SUPABASE_SECRET_KEY is not set" in errors) == (1, True)
    settings["SUPABASE_SECRET_KEY"] = world.status.service_role_key.get_secret_value()
    code, output, errors = await said(settings, "user", "reset", person.email)
    assert (code, "type=recovery" in output) == (0, True), errors
