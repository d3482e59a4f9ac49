"""Where sessions are used, against the real Auth server and database."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from services.auth.sessions import Ending, Sessions
from services.errors import DatabaseUnavailable, NotFound
from services.infra.database import Database
from services.people.audit import audit_events
from services.people.models import Role
from services.people.session_uses import Browser, SessionUses, end_session, open_sessions
from tests.world import World

pytestmark = pytest.mark.integration
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 "
    "Mobile/15E148 Safari/604.1"
)


async def test_the_list_tells_devices_and_addresses_of_the_browsers_and_marks_the_present_session(world: World) -> None:
    person = await world.person()
    phone = (await world.auth.sign_in(person.email, SecretStr(person.password))).identity
    uses = SessionUses(world.database)
    await uses.note(phone, Browser(agent=SAFARI, address="203.0.113.7"))
    await uses.note(person.identity, Browser(agent=FIREFOX, address="2001:db8::1%eth0"))
    first, second = await open_sessions(world.database, person.identity)
    assert (first.device, first.address, first.is_current) == ("Firefox on Linux", "2001:db8::1", True)
    assert (second.device, second.address, second.is_current) == ("Mobile Safari on iOS", "203.0.113.7", False)
    assert first.used_at >= second.used_at >= second.created_at


@pytest.mark.parametrize("agent", ["", "\0\x1b[31m\u202e", "x" * 5000, "Mozilla/" * 900])
async def test_any_header_is_noted_and_shown(world: World, agent: str) -> None:
    person = await world.person()
    await SessionUses(world.database).note(person.identity, Browser(agent=agent, address="testclient"))
    (only,) = await open_sessions(world.database, person.identity)
    assert only.device
    assert len(only.user_agent) <= 400
    assert only.user_agent.isprintable()


async def test_a_use_is_noted_once_in_five_minutes_and_again_from_elsewhere(world: World) -> None:
    person, now = await world.person(), 1000.0
    uses = SessionUses(world.database, clock=lambda: now)
    here, there = Browser(agent=FIREFOX, address="203.0.113.7"), Browser(agent=FIREFOX, address="203.0.113.8")

    async def noted_at(browser: Browser) -> Any:
        await uses.note(person.identity, browser)
        (only,) = await open_sessions(world.database, person.identity)
        return only.used_at

    first = await noted_at(here)
    now += 299
    assert await noted_at(here) == first
    now += 1
    second = await noted_at(here)
    assert second > first
    assert await noted_at(there) > second


async def test_a_database_that_is_away_is_asked_again_at_the_next_use(world: World) -> None:
    person = await world.person()
    tries = 0

    def fail(_: object) -> Any:
        nonlocal tries
        tries += 1
        raise DatabaseUnavailable("PostgreSQL does not answer.")

    uses = SessionUses(cast(Database, SimpleNamespace(as_user=fail)))
    for _ in range(2):
        await uses.note(person.identity, Browser(agent=FIREFOX, address=""))
    assert tries == 2


async def test_ending_one_session_ends_it_and_no_other(world: World) -> None:
    org = await world.organization()
    person = await world.person(org, role=Role.ADMIN)
    other = await world.auth.sign_in(person.email, SecretStr(person.password))
    uses = SessionUses(world.database)
    await uses.note(other.identity, Browser(agent=SAFARI, address=""))
    (theirs,) = [each for each in await open_sessions(world.database, person.identity) if not each.is_current]
    hub, endings = Sessions(world.auth), list[Ending]()
    hub.get_or_create(other).join(on_renew=lambda: None, on_end=endings.append)
    await end_session(world.database, person.identity, theirs.id)
    hub.end(theirs.id)
    assert endings == [Ending.EXPIRED]
    (left,) = await open_sessions(world.database, person.identity)
    assert left.is_current
    await uses.note(person.identity, Browser(agent=FIREFOX, address=""))
    assert not await world.sql("select 1 from public.session_uses where session_id = %s", theirs.id)
    assert "session.ended" in [each.action for each in await audit_events(world.database, person.identity, org)]
    with pytest.raises(NotFound, match="ended already"):
        await end_session(world.database, person.identity, theirs.id)


async def test_sessions_of_others_are_neither_seen_nor_ended(world: World) -> None:
    org = await world.organization()
    ada, eve = await world.person(org, role=Role.ADMIN), await world.person(org, role=Role.ADMIN)
    (of_ada,) = await open_sessions(world.database, ada.identity)
    assert of_ada.id not in [each.id for each in await open_sessions(world.database, eve.identity)]
    with pytest.raises(NotFound):
        await end_session(world.database, eve.identity, of_ada.id)
    await world.auth.verify(ada.tokens)
    for role in ("anon", "authenticated"):
        (allowed,) = await world.sql("select has_table_privilege(%s, 'public.session_uses', 'select, insert')", role)
        assert allowed == (False,)
