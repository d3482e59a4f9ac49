"""Schedules in the database: what is late, what meets it, and who may write it; the clock is simulated."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from services.errors import NotFound, PermissionDenied
from services.operations.upkeep.retention import delete_expired
from services.people.models import Role
from services.schedules.plan import Plan
from services.schedules.schedules import Schedule, pause_schedule, put_schedule, remove_schedule, schedules
from services.schedules.watcher import watch
from tests.world import Person, World

pytestmark = pytest.mark.integration


@dataclass
class Desk:
    """An operator with the job `nightly`, whose schedule a simulated clock watches."""

    world: World
    org: UUID
    ada: Person
    slug: str = "nightly"

    async def put(self, **given: str) -> None:
        await put_schedule(
            self.world.database, self.ada.identity, self.org, "streams", self.slug, plan=Plan.parse(given)
        )

    async def at(self, moment: datetime) -> Schedule:
        """Look at a time; returns the schedule then."""
        await watch(self.world.database, at=moment)
        [found] = await schedules(self.world.database, self.ada.identity, self.org, slug=self.slug)
        return found

    async def run(self, moment: datetime, *, ends: datetime | None = None, key: str = "") -> UUID:
        """Insert a run that begins at a time."""
        [[id]] = await self.world.sql(
            "insert into streams (org_id, name, slug, created_at, goal_status, finished_at, heartbeat_at) "
            "values (%s, 'Nightly', %s, %s, %s, %s, %s) returning id",
            self.org, f"{self.slug}@{key or moment.timestamp()}", moment, "completed" if ends else "in_progress",
            ends, moment,
        )  # fmt: skip
        return UUID(str(id))

    async def incidents(self) -> list[Any]:
        return await self.world.sql(
            "select kind, began_at, recovery from incidents where org_id = %s order by created_at", self.org
        )


@pytest.fixture
async def desk(world: World) -> Desk:
    org = await world.organization()
    return Desk(world, org, await world.person(org))


def day(number: int, hour: int = 2, minute: int = 0) -> datetime:
    """Return a time of a future month, after every due time that the database's own clock made."""
    return datetime(2099, 1, 1, hour, minute, tzinfo=UTC) + timedelta(days=number)


async def test_a_missing_run_is_late_once_and_its_return_ends_it(desk: Desk) -> None:
    await desk.put(expect="0 2 * * *", grace="30m")
    assert (await desk.at(day(0, 12))).next_due_at == day(1)
    assert (await desk.at(day(1, 2, 29))).late_since is None
    late = await desk.at(day(1, 2, 30))
    assert (late.late_since, late.next_due_at) == (day(1), day(2))
    await desk.at(day(2, 3))
    assert await desk.incidents() == [("late", day(1), None)]
    await desk.run(day(2, 3, 10))
    assert await desk.incidents() == [("late", day(1), "reported")]
    assert (await desk.at(day(2, 3, 11))).late_since is None
    said = await desk.world.sql(
        "select status from activities where org_id = %s and subject_table = 'jobs' order by status", desk.org
    )
    assert said == [("late",), ("recovered",)]


async def test_an_early_ping_meets_what_is_due_and_a_run_before_does_not(desk: Desk) -> None:
    await desk.put(expect="0 2 * * *", grace="30m")
    await desk.at(day(0, 12))
    await desk.run(day(0, 23))
    assert (await desk.at(day(0, 23, 1))).next_due_at == day(1)
    await desk.run(day(1, 1, 59))
    assert (await desk.at(day(1, 2, 31))).next_due_at == day(2)
    assert await desk.incidents() == []


async def test_two_overlapping_runs_are_one_due_time_and_the_longer_one_is_overdue(desk: Desk) -> None:
    await desk.put(expect="0 2 * * *", grace="30m", max="2h")
    await desk.at(day(0, 12))
    await desk.run(day(1), key="long")
    await desk.run(day(1, 2, 5), ends=day(1, 2, 20), key="short")
    assert (await desk.at(day(1, 2, 31))).next_due_at == day(2)
    await desk.at(day(1, 4, 1))
    assert [(kind, at) for kind, at, _ in await desk.incidents() if kind in ("late", "overdue")] == [
        ("overdue", day(1, 4, 1))
    ]


async def test_a_paused_schedule_accuses_nobody_and_a_resumed_one_waits_for_the_next(desk: Desk) -> None:
    await desk.put(expect="0 2 * * *", grace="30m")
    await desk.at(day(0, 12))
    await desk.at(day(1, 3))
    identity = desk.ada.identity
    await pause_schedule(desk.world.database, identity, desk.org, "streams", "nightly", paused=True)
    assert [each[2] for each in await desk.incidents()] == ["changed"]
    assert (await desk.at(day(5))).next_due_at is None
    await pause_schedule(desk.world.database, identity, desk.org, "streams", "nightly", paused=False)
    resumed = await desk.at(day(5, 12))
    assert (resumed.next_due_at, resumed.late_since) == (day(6), None)


async def test_a_removed_job_takes_its_schedule_and_its_lateness_with_it(desk: Desk) -> None:
    await desk.put(expect="0 2 * * *", grace="30m")
    await desk.at(day(0, 12))
    await desk.at(day(1, 3))
    await desk.world.sql("delete from jobs where org_id = %s", desk.org)
    assert await schedules(desk.world.database, desk.ada.identity, desk.org) == []
    assert await desk.incidents() == []


async def test_only_operators_write_and_only_members_read(desk: Desk, world: World) -> None:
    await desk.put(expect="1h")
    viewer, eve = await world.person(desk.org, role=Role.VIEWER), await world.person(await world.organization())
    plan = Plan.parse({"expect": "2h"})
    for person in (viewer, eve):
        with pytest.raises(PermissionDenied):
            await put_schedule(world.database, person.identity, desk.org, "streams", "nightly", plan=plan)
        with pytest.raises(PermissionDenied):
            await remove_schedule(world.database, person.identity, desk.org, "streams", "nightly")
    assert len(await schedules(world.database, viewer.identity, desk.org)) == 1
    assert await schedules(world.database, eve.identity, desk.org) == []
    await remove_schedule(world.database, desk.ada.identity, desk.org, "streams", "nightly")
    with pytest.raises(NotFound, match="streams/nightly has no schedule"):
        await remove_schedule(world.database, desk.ada.identity, desk.org, "streams", "nightly")


async def test_retention_keeps_a_job_that_has_a_schedule(desk: Desk, world: World) -> None:
    await desk.put(expect="1h")
    await world.sql("insert into jobs (org_id, kind, slug, name) values (%s, 'streams', 'old', 'Old')", desk.org)
    await world.sql("update jobs set last_run_at = now() - interval '100 days' where org_id = %s", desk.org)
    await delete_expired(world.database)
    assert await world.sql("select slug from jobs where org_id = %s", desk.org) == [("nightly",)]


async def test_a_report_that_holds_a_schedule_makes_the_watcher_wait_for_none(desk: Desk, world: World) -> None:
    await desk.put(expect="0 2 * * *", grace="30m")
    await desk.at(day(0, 12))
    async with world._pool.connection() as connection, connection.transaction():
        await connection.execute(b"select from schedules where org_id = %s for update", (desk.org,))
        await desk.at(day(1, 3))
        assert await desk.incidents() == []
    await desk.at(day(1, 3))
    assert [each[0] for each in await desk.incidents()] == ["late"]
