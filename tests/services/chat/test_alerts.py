"""Threads about alerts: those who were sent the same alert talk about it in one place, and one of them takes it."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from services.chat import messages
from services.chat.messages import NewMessage, Subject
from services.entities import THREADS, Handling, Topical
from services.errors import NotFound
from services.realtime import DatabaseSource
from tests.world import Person, World

pytestmark = pytest.mark.integration


async def alert(world: World, org: UUID, *people: Person) -> list[UUID]:
    """Send one alert to people, as the API does; returns the rows."""
    ids = [uuid4() for _ in people]
    for id, person in zip(ids, people, strict=True):
        await world.sql(
            "insert into signal_alerts (id, org_id, user_id, event_id, target_name, signal_type, signal_strength) "
            "values (%s, %s, %s, %s, 'db1', 'down', 95)",
            id,
            org,
            person.id,
            ids[0] if len(ids) > 1 else None,
        )
    return ids


def about(id: UUID) -> Subject:
    return Subject(table=Topical.ALERT, id=id)


async def take(world: World, person: Person, org: UUID, id: UUID) -> None:
    await messages.handle(world.database, person.identity, org, about(id), Handling.TAKEN)


async def test_an_alert_of_several_is_one_event_that_each_of_them_may_take(world: World) -> None:
    org = await world.organization()
    ada, ben, other = [await world.person(org) for _ in range(3)]
    first, second = await alert(world, org, ada, ben)
    with pytest.raises(NotFound):
        await take(world, other, org, first)
    with pytest.raises(NotFound):
        # The row of the second recipient is no event of its own.
        await take(world, ben, org, second)
    await take(world, ben, org, first)
    await messages.post(world.database, ada.identity, org, about(first), NewMessage(id=uuid4(), body="thanks"))
    # Once it has begun, the whole organisation takes part.
    await messages.post(world.database, other.identity, org, about(first), NewMessage(id=uuid4(), body="hello"))
    threads = await world.sql("select subject_id, handling, last_number from threads where org_id = %s", org)
    assert threads == [(first, "taken", 3)]


async def test_the_thread_goes_with_the_last_row_of_its_event(world: World) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    first, second = await alert(world, org, ada, ben)
    await take(world, ada, org, first)
    for gone, threads in ((first, 1), (second, 0)):
        await world.sql("delete from signal_alerts where id = %s", gone)
        assert await world.sql("select count(*) from threads where org_id = %s", org) == [(threads,)]
    (alone,) = await alert(world, org, ada)
    await take(world, ada, org, alone)
    await world.sql("delete from signal_alerts where id = %s", alone)
    assert await world.sql("select count(*) from threads where org_id = %s", org) == [(0,)]


async def test_both_rows_deleted_at_once_take_their_thread_with_them(world: World) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    first, _ = await alert(world, org, ada, ben)
    await take(world, ada, org, first)
    await world.sql("delete from signal_alerts where org_id = %s", org)
    assert await world.sql("select count(*) from threads where org_id = %s", org) == [(0,)]


async def test_an_event_reaches_no_other_organisation(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(theirs)
    (event,) = await alert(world, ours, ada)
    await take(world, ada, ours, event)
    # Somebody there names our event in an alert of their own.
    await world.sql(
        "insert into signal_alerts (org_id, user_id, event_id, target_name, signal_type, signal_strength) "
        "values (%s, %s, %s, 'db1', 'down', 95)",
        theirs,
        eve.id,
        event,
    )
    await take(world, eve, theirs, event)
    assert await messages.thread_id(world.database, eve.identity, ours, about(event)) is None
    await world.sql("delete from signal_alerts where org_id = %s", theirs)
    assert await world.sql("select org_id from threads where subject_id = %s", event) == [(ours,)]


async def test_feeds_hold_what_somebody_takes_care_of_before_the_latest(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    (event,) = await alert(world, org, ada)
    await take(world, ada, org, event)
    await world.sql(
        "insert into threads (org_id, subject_table, subject_id, subject_name, last_at) "
        "select %s, 'streams', gen_random_uuid(), 'n', now() + n * interval '1 s' from generate_series(1, 3000) as n",
        org,
    )
    await world.sql("analyze threads")
    source, few = DatabaseSource(world.database), replace(THREADS, limit=2)
    held = await source.snapshot(ada.identity, few, few.topic(org))
    assert [row["handling"] for row in held] == ["taken", "open"]
    plan = await world.sql(
        f"explain select * from threads where org_id = '{org}' order by {THREADS.order} limit {THREADS.limit}"
    )
    assert "threads_held_idx" in str(plan)
    assert "Sort" not in str(plan)
