"""What a board reads equals what the rows say: for any history, range, zone and filter."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from services.analytics.board import Board
from services.analytics.figures import figures_of
from services.analytics.reading import Reading, read_board
from services.errors import PermissionDenied
from services.operations.upkeep.rollups import fold_rollups
from tests.world import Person, World

pytestmark = pytest.mark.integration

NOW = datetime(2026, 3, 31, 10, 7, 23, tzinfo=UTC)
"""Two days after clocks in Europe changed."""
HOUR = timedelta(hours=1)
ALL = "completed,failed,cancelled,pending,running"


async def history(world: World, org: UUID, dice: random.Random, *, count: int = 80) -> list[tuple[datetime, str]]:
    """Insert runs of agents that ended around `NOW`; returns when and how those of the job "a" and "b" ended."""
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'S') returning id", org)
    ended = []
    for index in range(count):
        end = NOW - timedelta(minutes=dice.choice([3, 90, 2000, 9000, 100_000, 900_000]) * dice.random())
        status = dice.choice(["completed", "failed", "cancelled"])
        await world.sql(
            "insert into agent_executions (org_id, stream_id, slug, agent_id, agent_name, status, created_at, "
            "started_at, completed_at, tags) values (%s, %s, %s, 'a', 'A', %s, %s, %s, %s, '{t}')",
            org, stream, f"{dice.choice('ab')}@{index}k", status, end - 2 * HOUR, end - HOUR, end,
        )  # fmt: skip
        ended.append((end, status))
        if index == count // 2:
            await fold_rollups(world.database)
    return ended


async def read(world: World, person: Person, org: UUID, **params: str) -> Reading:
    board = Board.parse({"kind": "agents", **{name.rstrip("_"): value for name, value in params.items()}})
    assert not board.problem
    return await read_board(world.database, person.identity, org, board, now=NOW)


def same(one: Reading, other: Reading) -> bool:
    gauges = +Counter(one.gauges) == +Counter(other.gauges)
    return gauges and _of(one) == _of(other)


def _of(reading: Reading) -> tuple[object, ...]:
    return reading.ended, reading.durations, reading.failures, reading.jobs


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns"])
async def test_a_reading_equals_the_rows(world: World, zone: str) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org)
    dice = random.Random(zone)
    ended = await history(world, org, dice)
    await history(world, other, dice, count=3)
    local = ZoneInfo(zone)
    for start, last in (("7d", ""), ("30d", ""), ("90d", ""), ("2026-03-28T00:00", "2026-03-30T05:30"), ("all", "")):
        reading = await read(world, ada, org, from_=start, to=last, zone=zone)
        assert reading.parts
        bounds = reading.parts.starts[0], reading.parts.end
        within = [(end, status) for end, status in ended if bounds[0] <= end < bounds[1]]
        assert within
        names = {"completed": "succeeded", "failed": "failed", "cancelled": "stopped"}
        expected = Counter((reading.parts.place_of(end), "agents", names[status]) for end, status in within)
        assert reading.ended == expected, start
        hours = Counter(
            (end.astimezone(local).weekday(), end.astimezone(local).hour)
            for end, status in within
            if status == "failed"
        )
        assert reading.failures == hours, start
        # The runs themselves say the same as the roll-ups: every one has the tag.
        assert same(reading, await read(world, ada, org, from_=start, to=last, zone=zone, tag="t")), start


async def test_minutes_are_exact_in_the_last_two_days(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into acquisition_scans (org_id, name, status, created_at, started_at, completed_at) "
        "select %s, 'S', 'failed', now() - n * interval '37 seconds' - interval '3 s', "
        "now() - n * interval '37 seconds' - interval '2 s', now() - n * interval '37 seconds' "
        "from generate_series(1, 300) as n",
        org,
    )  # fmt: skip
    await fold_rollups(world.database)
    for start in ("15m", "1h", "24h"):
        rolled, raw = [
            await read_board(
                world.database, ada.identity, org, Board.parse({"kind": "scans", "from": start, **filters})
            )
            for filters in ({}, {"status": "failed"})
        ]
        assert rolled.parts
        assert rolled.parts.grain == "minute"
        assert sum(rolled.ended.values()) > 20
        assert same(rolled, raw), start


async def test_running_and_waiting_are_counted_back_to_the_first_run(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'S') returning id", org)
    insert = (
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, created_at, started_at, "
        "completed_at) values (%s, %s, 'a', 'A', %s, %s, %s, %s)"
    )
    day = timedelta(days=1)
    await world.sql(insert, org, stream, "running", NOW - 400 * day, NOW - 399 * day, None)
    await world.sql(insert, org, stream, "pending", NOW - 100 * day, None, None)
    await world.sql(insert, org, stream, "completed", NOW - 6 * day, NOW - 5 * day, NOW - 3 * day)
    reading = await read(world, ada, org, from_="7d")
    (load,) = figures_of(Board.parse({"charts": "load"}), reading)
    for series in load.series:
        counts = [count or 0 for count in series.values]
        assert (counts[0], max(counts), counts[-1]) == (1, 2, 1), series.key
    assert same(reading, await read(world, ada, org, from_="7d", status=ALL))


async def test_a_job_counts_alone_and_the_busiest_come_first(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org, other)
    await history(world, org, random.Random(5))
    everything = await read(world, ada, org, from_="all")
    first, second = everything.jobs
    assert first.total >= second.total > 0
    assert first.total + second.total == sum(everything.ended.values())
    assert first.slug
    job = str(first.id)
    alone = await read(world, ada, org, from_="all", job_id=job)
    assert (alone.jobs, sum(alone.ended.values())) == ((first,), first.total)
    assert same(alone, await read(world, ada, org, from_="all", job_id=job, tag="t"))
    assert not (await read(world, ada, other, from_="7d", job_id=job)).ended
    assert not (await read(world, ada, org, from_="7d", job_id="no id")).ended
    await world.sql("update agent_executions set job_id = null where org_id = %s", org)
    await world.sql("delete from jobs where org_id = %s", org)
    assert (await read(world, ada, org, from_="all")).jobs == ()


async def test_only_members_read_and_only_their_own_organisation(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    await history(world, org, random.Random(1), count=10)
    await world.sql(
        "insert into signal_alerts (org_id, user_id, company_name, target_name, signal_type, signal_strength, "
        "detected_at) values (%s, %s, 'C', 'T', 'funding', 90, %s)", org, ada.id, NOW - timedelta(hours=3),
    )  # fmt: skip
    mine = await read(world, ada, org, from_="24h")
    assert list(mine.alerts.values()) == [1]
    assert [each.label for each in figures_of(Board.parse({"charts": "alerts"}), mine)[0].series] == ["funding"]
    with pytest.raises(PermissionDenied):
        await read(world, eve, org, from_="24h")
    await world.sql("insert into org_members (org_id, user_id, role) values (%s, %s, 'viewer')", org, eve.id)
    assert not (await read(world, eve, org, from_="24h")).alerts, "alerts of others are not theirs to count"


async def test_without_any_run_there_is_no_beginning(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    assert (await read(world, ada, org, from_="all")).parts is None
    empty = await read(world, ada, org, from_="7d", q="nothing like this")
    figures = figures_of(Board.parse({}), empty)
    assert [series.values[0] for series in figures[0].series] == [0, 0, None, None, None, 0, 0]
    for params in (
        {"from_": "2031-01-01", "to": "2032-01-01"},
        {"from_": "36500d"},
        {"from_": "0001-01-01", "to": "9999-12-31"},
    ):
        reading = await read(world, ada, org, **params)
        assert reading.parts
        assert len(reading.parts.starts) <= 112
        assert figures_of(Board.parse({}), reading)
