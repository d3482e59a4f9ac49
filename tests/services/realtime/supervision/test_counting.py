"""Counts of tables with more rows than a feed holds: those of the database, live, and never a feed's as the world's."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.entities import ALERTS, ENTITIES, STREAMS, Entity, GoalStatus, Scope, SignalAlert, Stream
from services.entities.base.grouping import read_groups
from services.errors import DatabaseTimeLimit
from services.realtime import DatabaseSource, RealtimeService
from services.realtime.rows import Counts
from services.realtime.supervision import counting
from tests.services.realtime.fakes import FakeMember, record, upsert
from tests.services.realtime.supervision.scene import scene
from tests.virtual_time import run
from tests.world import Person, World, until

BEYOND = 130


def is_unread(row: SignalAlert) -> bool:
    return row.is_unread


def is_blocked(row: Stream) -> bool:
    return row.goal_status is GoalStatus.BLOCKED


async def alerts(world: World, org: UUID, person: Person, count: int) -> None:
    await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength, status, read_at) "
        "select %s, %s, 'Target ' || n, 'x', n %% 100, case when n %% 10 = 0 then 'acknowledged' else 'new' end, "
        "case when n %% 10 = 0 then now() end from generate_series(1, %s) as n",
        org, person.id, count,
    )  # fmt: skip


async def in_sql(world: World, org: UUID, person: Person) -> Counts:
    ((unread, total),) = await world.sql(
        "select count(*) filter (where read_at is null and status = 'new'), count(*) from signal_alerts "
        "where org_id = %s and user_id = %s",
        org, person.id,
    )  # fmt: skip
    return Counts(unread, total, is_exact=True)


async def all_is_published(world: World, realtime: RealtimeService, org: UUID, person: Person) -> None:
    """Wait until Realtime has published what was committed so far, which it does in the order of the commits.

    A feed that joins before holds the new rows in addition to those of its snapshot.
    """
    streams = realtime.subscribe(STREAMS, org, session=person)
    await until(lambda: streams.is_loaded)
    await world.insert(Stream(org_id=org, name="The last one"), by=person)
    await until(lambda: len(streams.rows()) == 1)
    streams.close()


@pytest.mark.integration
async def test_the_counts_of_a_full_feed_are_those_of_the_database_after_every_change(
    world: World, realtime: RealtimeService
) -> None:
    ours, other = await world.organization(), await world.organization()
    ada = await world.person(ours, other)
    await alerts(world, ours, ada, ALERTS.limit + BEYOND)
    await alerts(world, other, ada, 10)
    await all_is_published(world, realtime, other, ada)
    told: list[Counts] = []
    subscription = realtime.subscribe(
        ALERTS, ada.id, session=ada, org_id=ours, on_change=lambda _: told.append(subscription.count(is_unread))
    )

    async def is_equal() -> bool:
        return subscription.is_counted and subscription.count(is_unread) == await in_sql(world, ours, ada)

    await until(is_equal, within=10, what="the counts are the database's")
    assert subscription.is_cut
    # Of rows that the feed does not hold, too: the oldest.
    await world.sql(
        "update signal_alerts set read_at = now() where id in "
        "(select id from signal_alerts where org_id = %s order by detected_at, id limit 500)", ours,
    )  # fmt: skip
    await until(is_equal, within=10, what="they follow a change")
    await world.sql("delete from signal_alerts where org_id = %s and signal_strength < 10", ours)
    await until(is_equal, within=10, what="they follow deletions")
    assert told[-1] == subscription.count(is_unread), "its holder was told"


@pytest.mark.integration
@pytest.mark.parametrize("entity", [each for each in ENTITIES if each.listing.facets], ids=lambda each: each.table)
async def test_the_groups_of_an_entity_have_the_values_of_every_chip(world: World, entity: Entity[Any]) -> None:
    """A field that a chip reads and the grouping leaves out would make a false count."""
    org = await world.organization()
    ada = await world.person(org)
    await _rows_of_all_kinds(world, entity, org, ada)
    source = DatabaseSource(world.database)
    topic = entity.topic(org if entity.scope is Scope.ORG else ada.id)
    assert entity.grouping is not None
    rows = [entity.model.read(each) for each in await source.snapshot(ada.identity, entity, topic)]
    groups = read_groups(entity.model, entity.grouping, await source.groups(ada.identity, entity, topic))
    assert len(rows) > 20
    assert sum(group.count for group in groups) == len(rows)
    for facet in entity.listing.facets:
        if facet.kind == "chips":
            wanted = Counter(value for row in rows for value in facet.values(row))
            found: Counter[str] = Counter()
            for group in groups:
                found.update(dict.fromkeys(facet.values(group.example), group.count))
            assert found == wanted, facet.name


async def _rows_of_all_kinds(world: World, entity: Entity[Any], org: UUID, ada: Person) -> None:
    """Insert a row for each status, and for each way to be archived, read, unreachable and stalled."""
    table = entity.table
    if table == "signal_alerts":
        await alerts(world, org, ada, 150)
        return
    if table == "notifications":
        await world.sql(
            "insert into notifications (org_id, user_id, title, type, read_at) "
            "select %s, %s, 'x', (array['info', 'success', 'warning', 'error'])[1 + n %% 4], "
            "case when n %% 3 = 0 then now() end from generate_series(1, 40) as n", org, ada.id,
        )  # fmt: skip
        return
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'of the agents')", stream, org)
    named = "agent_id" if table == "agent_executions" else "name"
    kind = "goal_status" if table == "streams" else "status"
    more = ", stream_id, agent_name" if table == "agent_executions" else ""
    values = f", '{stream}', 'x'" if more else ""
    statuses: Any = GoalStatus if table == "streams" else entity.model.model_fields["status"].annotation
    for status in [each.value for each in statuses]:
        await world.sql(
            f"insert into {table} (org_id, {named}, {kind}, archived_at, heartbeat_at, heartbeat_interval{more}) "
            f"select %s, 'x', %s, case when n %% 2 = 0 then now() end, "
            f"now() - make_interval(secs => n * 20), case when n %% 3 > 0 then 20 end{values} "
            "from generate_series(1, 8) as n", org, status,
        )  # fmt: skip
    if not more:
        await world.sql(f"alter table {table} disable trigger user")
        try:
            goal = (
                "total = case when id::text < 'a' then 10 else 0 end, "
                "completed = case when id::text < '5' then 10 else 1 end, "
            )
            await world.sql(
                f"update {table} set {goal if table == 'streams' else ''}"
                "last_progress_at = now() - make_interval(secs => 100), "
                "progress_interval = case when id::text < '8' then 1 else 100 end "
                "where org_id = %s and id::text > '2'", org,
            )  # fmt: skip
        finally:
            await world.sql(f"alter table {table} enable trigger user")


def test_a_feed_below_its_limit_asks_for_no_counts() -> None:
    async def work() -> None:
        async with scene() as each:
            each.database.records["streams"] = [record(uuid4(), 1, goal_status="blocked")]
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(200)
            assert each.database.counts == []
            assert subscription.count(is_blocked) == Counts(1, 1, is_exact=True)

    run(work())


def _full(each: Any) -> None:
    each.database.records["streams"] = [record(uuid4(), 1) for _ in range(STREAMS.limit)]
    each.database.beyond = [record(uuid4(), 1, goal_status="blocked") for _ in range(7)]


def test_changes_under_load_are_counted_together() -> None:
    async def work() -> None:
        async with scene() as each:
            _full(each)
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(1)
            assert subscription.count(is_blocked) == Counts(7, STREAMS.limit + 7, is_exact=True)
            before = len(each.database.counts)
            for version in range(1000):
                each.feed.change(upsert(uuid4(), version + 10))
                await asyncio.sleep(0.01)
            assert len(each.database.counts) - before <= 10 / counting.MIN_INTERVAL_SECONDS + 1

    run(work())


def test_what_cannot_be_counted_is_a_lower_bound_until_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with scene() as each:
            _full(each)
            counts = each.database.groups
            is_slow = True

            async def groups(*arguments: Any) -> list[dict[str, Any]]:
                if is_slow:
                    raise DatabaseTimeLimit("It took too long.")
                return await counts(*arguments)

            monkeypatch.setattr(each.database, "groups", groups)
            subscription = each.subscribe(FakeMember())
            await asyncio.sleep(1)
            assert subscription.is_counted
            assert subscription.is_cut
            assert subscription.count(is_blocked) == Counts(0, STREAMS.limit, is_exact=False)
            is_slow = False
            await asyncio.sleep(counting.RETRY_INTERVAL_SECONDS + 1)
            assert subscription.count(is_blocked) == Counts(7, STREAMS.limit + 7, is_exact=True)

    run(work())
