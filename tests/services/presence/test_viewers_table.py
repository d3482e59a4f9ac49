"""Viewers through the database and every transport; what the database keeps of reports, and who reads it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import text

from services.entities import VIEWERS
from services.errors import PermissionDenied
from services.presence.online import online_people
from services.presence.viewer_reports import ViewerReports
from services.presence.windows import Place, TrackedWindow
from services.realtime import RealtimeService, Subscription
from tests.speed import deadline
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
SOON = 3.0
"""Seconds within which everybody knows; a report waits for one second at most."""


async def report(world: World, process: UUID, org: UUID, *people: UUID) -> list[UUID]:
    """Report people as a process of the app; returns the postponed organisations."""
    reports = [{"org_id": str(org), "people": [{"user_id": str(id), "is_idle": False, "places": []} for id in people]}]
    async with world.database.as_app() as session:
        statement = text("select private.report_viewers(:process, cast(:reports as jsonb))")
        answer = await (await session.connection()).execute(
            statement, {"process": process, "reports": json.dumps(reports)}
        )
        return list(answer.scalars())


async def stored(world: World, org: UUID) -> dict[UUID, list[UUID]]:
    """The people of an organisation by process."""
    rows = await world.sql("select process, people from viewers where org_id = %s", org)
    return {process: [UUID(each["user_id"]) for each in people] for process, people in rows}


def shown(subscription: Subscription[Any]) -> dict[str, tuple[bool, list[str]]]:
    """Who is online by name: whether idle, and the paths in use."""
    return {
        person.name: (person.is_idle, [place.path for place in person.places if not place.is_idle])
        for person in online_people(subscription.rows())
    }


def arrive(reports: ViewerReports, org: UUID, person: Person, path: str) -> TrackedWindow:
    window = reports.track(org, person.id)
    window.show(Place(path=path, title=path))
    window.arrive()
    return window


async def named(world: World, org: UUID, name: str) -> Person:
    person = await world.person(org)
    await world.sql("update profiles set display_name = %s where user_id = %s", name, person.id)
    return person


async def test_the_windows_of_two_processes_are_seen_by_the_members_as_people_and_by_nobody_else(
    world: World, realtime: RealtimeService
) -> None:
    org, other_org = await world.organization(), await world.organization()
    ana, bo = await named(world, org, "Ana"), await named(world, org, "Bo")
    eve = await world.person(other_org)
    ours = realtime.subscribe(VIEWERS, org, session=bo)
    theirs = realtime.subscribe(VIEWERS, other_org, session=eve)
    await until(lambda: ours.is_loaded and theirs.is_loaded)
    async with ViewerReports(world.database) as one, ViewerReports(world.database) as two:
        first, second = arrive(one, org, ana, "/"), arrive(two, org, ana, "/alerts")
        arrive(two, org, bo, "/")
        await until(
            lambda: (
                {name: (idle, sorted(paths)) for name, (idle, paths) in shown(ours).items()}
                == {"Ana": (False, ["/", "/alerts"]), "Bo": (False, ["/"])}
            ),
            within=SOON,
        )
        second.set_idle(True)
        await until(lambda: shown(ours)["Ana"] == (False, ["/"]), within=SOON)
        first.set_idle(True)
        await until(lambda: shown(ours)["Ana"] == (True, []), within=SOON)
        await one.aclose()
        await until(lambda: [len(each.places) for each in online_people(ours.rows())] == [1, 1], within=SOON)
        second.leave()
        await until(lambda: shown(ours) == {"Bo": (False, ["/"])}, within=SOON + 5)
    await until(lambda: shown(ours) == {}, within=SOON)
    assert await stored(world, org) == {}
    assert theirs.rows() == []


async def test_a_removed_member_is_gone_at_once_although_the_window_stays(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ana, bo = await named(world, org, "Ana"), await named(world, org, "Bo")
    seen = realtime.subscribe(VIEWERS, org, session=bo)
    async with ViewerReports(world.database) as reports:
        window = arrive(reports, org, ana, "/")
        arrive(reports, org, bo, "/")
        await until(lambda: shown(seen).keys() == {"Ana", "Bo"}, within=SOON)
        await world.sql("delete from org_members where user_id = %s", ana.id)
        await until(lambda: shown(seen).keys() == {"Bo"}, within=1)
        window.show(Place(path="/alerts", title="Alerts"))
        marker = arrive(reports, org, bo, "/marker")
        await until(lambda: "/marker" in shown(seen).get("Bo", (False, []))[1], within=SOON)
        assert shown(seen).keys() == {"Bo"}
        marker.leave()


async def test_an_invisible_person_is_gone_from_every_process_at_once_and_is_not_reported_again(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ana, bo = await named(world, org, "Ana"), await named(world, org, "Bo")
    seen = realtime.subscribe(VIEWERS, org, session=bo)
    one, two = uuid4(), uuid4()
    for process in (one, two):
        await report(world, process, org, ana.id, bo.id)
    await until(lambda: shown(seen).keys() == {"Ana", "Bo"} and len(seen.rows()) == 2)
    async with world.database.as_user(ana.identity) as session:
        await (await session.connection()).execute(
            text("""update profiles set preferences = preferences || '{"online": false}' where user_id = :me"""),
            {"me": ana.id},
        )
    await until(lambda: shown(seen).keys() == {"Bo"}, within=1)
    await report(world, one, org, ana.id)
    await report(world, two, org, ana.id, bo.id)
    assert await stored(world, org) == {two: [bo.id]}
    await world.sql(
        """update profiles set preferences = '{"online": "yes?", "theme": "dark"}' where user_id = %s""", ana.id
    )
    await report(world, one, org, ana.id)
    await until(lambda: shown(seen).keys() == {"Ana", "Bo"})


async def test_only_members_are_kept_and_by_the_names_of_their_profiles(world: World) -> None:
    org, other_org = await world.organization(), await world.organization()
    ana, eve = await named(world, org, "Ana"), await world.person(other_org)
    process = uuid4()
    forged = [
        {"user_id": str(id), "name": "The boss", "since": "1970-01-01T00:00:00Z", "is_idle": False, "places": []}
        for id in (ana.id, eve.id, uuid4())
    ]
    async with world.database.as_app() as session:
        await (await session.connection()).execute(
            text("select private.report_viewers(:process, cast(:reports as jsonb))"),
            {"process": process, "reports": json.dumps([{"org_id": str(org), "people": forged}])},
        )
    ((people,),) = await world.sql("select people from viewers where org_id = %s", org)
    assert [(each["user_id"], each["name"]) for each in people] == [(str(ana.id), "Ana")]
    assert not people[0]["since"].startswith("1970")
    since = people[0]["since"]
    await report(world, process, org, ana.id)
    ((people,),) = await world.sql("select people from viewers where org_id = %s", org)
    assert people[0]["since"] == since


async def falls_silent(world: World, process: UUID, seconds: int) -> None:
    await world.sql(
        "update private.viewer_processes set seen_at = seen_at - make_interval(secs => %s) where process = %s",
        seconds,
        process,
    )


async def test_a_process_that_was_silent_for_45_seconds_is_forgotten_by_the_next_report_of_another(
    world: World, realtime: RealtimeService
) -> None:
    org = await world.organization()
    ana, bo = await named(world, org, "Ana"), await named(world, org, "Bo")
    seen = realtime.subscribe(VIEWERS, org, session=bo)
    dead, quiet, alive = uuid4(), uuid4(), uuid4()
    for process in (dead, quiet):
        await report(world, process, org, ana.id)
    await falls_silent(world, dead, 46)
    await falls_silent(world, quiet, 40)
    await until(lambda: len(seen.rows()) == 2)
    await report(world, alive, org)
    assert (await stored(world, org)).keys() == {quiet}
    await until(lambda: len(seen.rows()) == 1)
    await falls_silent(world, quiet, 6)
    await report(world, quiet, org, ana.id)
    await report(world, alive, org)
    assert (await stored(world, org)).keys() == {quiet}, "it came back before it was forgotten"
    await falls_silent(world, quiet, 46)
    await report(world, alive, await world.organization())
    await report(world, alive, org)
    assert await stored(world, org) == {}, "a report of another organisation has noticed its death"
    await report(world, quiet, org, ana.id)
    assert (await stored(world, org)).keys() == {quiet}, "it was not dead"


async def test_a_heartbeat_is_told_to_nobody_and_notices_a_new_name(world: World) -> None:
    org = await world.organization()
    ana, process = await named(world, org, "Ana"), uuid4()
    await report(world, process, org, ana.id)
    ((version,),) = await world.sql("select version from viewers where org_id = %s", org)
    for _ in range(3):
        await report(world, process, org, ana.id)
    topic = f"org:{org}"
    assert await world.sql("select version from viewers where org_id = %s", org) == [(version,)]
    assert await world.sql("select count(*) from realtime.messages where topic = %s", topic) == [(1,)]
    await world.sql("update profiles set display_name = 'Anna' where user_id = %s", ana.id)
    await report(world, process, org, ana.id)
    assert await world.sql("select people -> 0 ->> 'name' from viewers where org_id = %s", org) == [("Anna",)]
    assert await world.sql("select count(*) from realtime.messages where topic = %s", topic) == [(2,)]


async def test_more_people_than_a_broadcast_holds_arrive_all_the_same(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    bo = await world.person(org)
    seen = realtime.subscribe(VIEWERS, org, session=bo)
    await until(lambda: seen.is_loaded)
    ids = [uuid4() for _ in range(199)]
    await world.sql("insert into auth.users (id, email) select id, id || '@example.org' from unnest(%s) as id", ids)
    await world.sql(
        "insert into org_members (org_id, user_id, role) select %s, id, 'viewer' from unnest(%s) as id", org, ids
    )
    async with ViewerReports(world.database) as reports:
        for id in [bo.id, *ids]:
            for number in range(5):
                window = reports.track(org, id)
                window.show(Place(path=f"/{number}" + "x" * 200, title="y" * 120, selected=uuid4()))
                window.arrive()
        await until(lambda: [len(each.people) for each in seen.rows()] == [200], within=5)
        assert [len(each.places) for each in online_people(seen.rows())] == [5] * 200
        ((size,),) = await world.sql("select octet_length(people::text) from viewers where org_id = %s", org)
        assert size > 250_000


# What row-level security and privileges leave to users


@asynccontextmanager
async def with_a_row(world: World) -> AsyncIterator[tuple[UUID, Person, Person]]:
    """An organisation with a member who is online, and a member of another organisation."""
    org = await world.organization()
    ana, eve = await world.person(org), await world.person(await world.organization())
    await report(world, uuid4(), org, ana.id)
    yield org, ana, eve


async def test_only_members_read_the_rows_by_sql_and_through_the_check_of_a_subscription(world: World) -> None:
    async with with_a_row(world) as (org, ana, eve):
        for person, count in ((ana, 1), (eve, 0)):
            async with world.database.as_user(person.identity) as session:
                rows = (await (await session.connection()).execute(text("select org_id from viewers"))).scalars().all()
            assert rows == [org] * count


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.viewers (org_id, process, people) values (:org, gen_random_uuid(), '[]')",
        "update public.viewers set people = '[]' where org_id = :org",
        "update public.viewers set process = gen_random_uuid()",
        "select * from private.viewer_processes",
        "update private.viewer_processes set seen_at = now() + interval '1 year'",
        "delete from public.viewers where org_id = :org",
        "truncate public.viewers",
        "select private.report_viewers(gen_random_uuid(), '[]')",
        "select private.forget_viewer(gen_random_uuid(), null)",
        "select private.is_shown(gen_random_uuid())",
    ],
)
async def test_no_user_writes_a_row_or_calls_what_does(world: World, statement: str) -> None:
    async with with_a_row(world) as (org, ana, eve):
        before = await world.sql("select * from viewers where org_id = %s", org)
        for person in (ana, eve):
            with pytest.raises(PermissionDenied):
                async with world.database.as_user(person.identity) as session:
                    await (await session.connection()).execute(
                        text(statement), {"org": org} if ":org" in statement else {}
                    )
        for role in ("anon", "authenticated"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await world.sql(f"set local role {role}; " + statement.replace(":org", f"'{org}'"))
        assert await world.sql("select * from viewers where org_id = %s", org) == before


async def test_no_member_can_broadcast_a_row_or_a_typing_signal(world: World) -> None:
    async with with_a_row(world) as (org, ana, _):
        topic = f"org:{org}"
        message = {"topic": topic, "event": "typing", "payload": {"user_id": str(ana.id)}, "private": True}
        async with httpx.AsyncClient() as http:
            answer = await http.post(
                f"{world.status.api_url}/realtime/v1/api/broadcast",
                json={"messages": [message]},
                headers={
                    "apikey": world.status.anon_key.get_secret_value(),
                    "Authorization": f"Bearer {ana.identity.access_token.get_secret_value()}",
                },
            )
        assert answer.status_code < 500
        assert await world.sql("select 1 from realtime.messages where topic = %s and event = 'typing'", topic) == []


# Locks: reports never wait while they hold any


@asynccontextmanager
async def locking(world: World, *statements: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Run statements in a transaction that is open within the block, and is rolled back if it is still then."""
    async with await psycopg.AsyncConnection.connect(world.status.database_url.get_secret_value()) as connection:
        for statement in statements:
            await connection.execute(statement.encode())
        yield connection
        await connection.rollback()


async def test_a_member_who_is_just_being_removed_is_not_written_and_nobody_waits(world: World) -> None:
    org = await world.organization()
    ana, bo = await world.person(org), await world.person(org)
    process = uuid4()
    async with locking(world, f"delete from org_members where user_id = '{ana.id}'") as removal:
        async with asyncio.timeout(deadline(5)):
            assert await report(world, process, org, ana.id, bo.id) == []
        assert await stored(world, org) == {process: [bo.id]}
        await removal.commit()
    await report(world, process, org, ana.id, bo.id)
    assert await stored(world, org) == {process: [bo.id]}


async def test_a_row_that_another_transaction_changes_is_postponed(world: World) -> None:
    org, free = await world.organization(), await world.organization()
    ana = await world.person(org, free)
    process = uuid4()
    await report(world, process, org, ana.id)
    async with locking(world, f"update viewers set process = process where org_id = '{org}'"):
        async with asyncio.timeout(deadline(5)):
            assert await report(world, process, org) == [org]
            assert await report(world, uuid4(), org, ana.id) == []
    assert await report(world, process, org) == []
    assert process not in await stored(world, org)


async def test_an_organisation_that_is_being_deleted_is_postponed_and_then_left_alone(world: World) -> None:
    org = await world.organization()
    ana = await world.person(org)
    process = uuid4()
    await report(world, process, org, ana.id)
    async with locking(world, f"delete from organizations where id = '{org}'") as deletion:
        async with asyncio.timeout(deadline(5)):
            assert await report(world, process, org, ana.id) == [org]
        await deletion.commit()
    assert await report(world, process, org, ana.id) == []
    assert await stored(world, org) == {}
