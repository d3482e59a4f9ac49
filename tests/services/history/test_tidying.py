"""Closing, archiving and deleting runs, within an organisation and a role; and the end of unreachable runs."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest

from services.entities import AGENTS, SCANS, STREAMS, Entity
from services.errors import PermissionDenied
from services.history import tidying
from services.history.tidying import archive_runs, close_runs, delete_runs
from services.operations.upkeep.retention import end_unreachable
from services.people.models import Role
from tests.world import World

pytestmark = pytest.mark.integration
RUNS: tuple[Entity[Any], ...] = (STREAMS, SCANS, AGENTS)


async def one_of_each(world: World, org: UUID) -> dict[str, UUID]:
    """Insert an active run of each kind; returns their ids by table."""
    [[stream]] = await world.sql(
        "insert into streams (org_id, name, goal_status) values (%s, 's', 'on_track') returning id", org
    )
    [[scan]] = await world.sql(
        "insert into acquisition_scans (org_id, name, status) values (%s, 's', 'scanning') returning id", org
    )
    [[agent]] = await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "values (%s, %s, 'a', 'a', 'running') returning id",
        org,
        stream,
    )
    return {"streams": stream, "acquisition_scans": scan, "agent_executions": agent}


async def statuses(world: World, runs: dict[str, UUID]) -> list[tuple[str, bool]]:
    column = {"streams": "goal_status"}
    found = []
    for table, id in runs.items():
        name = column.get(table, "status")
        found += await world.sql(f"select {name}, is_finished from {table} where id = %s", id)
    return [tuple(row) for row in found]


async def test_a_closed_run_ends_as_cancelled_and_a_finished_one_stays_as_it_is(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    runs = await one_of_each(world, org)
    for entity in RUNS:
        assert await close_runs(world.database, ada.identity, entity, [runs[entity.table]]) == 1
        with pytest.raises(PermissionDenied):
            await close_runs(world.database, ada.identity, entity, [runs[entity.table]])
    assert await statuses(world, runs) == [("cancelled", True)] * 3


async def test_many_are_archived_and_restored_in_batches(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "BATCH_ROWS", 7)
    org = await world.organization()
    ada = await world.person(org)
    rows = await world.sql(
        "insert into streams (org_id, name) select %s, 's' || n from generate_series(1, 30) as n returning id", org
    )
    ids = [row[0] for row in rows]
    count = "select count(*) from streams where org_id = %s and archived_at is not null"
    assert await archive_runs(world.database, ada.identity, STREAMS, ids) == 30
    assert await world.sql(count, org) == [(30,)]
    assert await archive_runs(world.database, ada.identity, STREAMS, ids, is_archived=False) == 30
    assert await world.sql(count, org) == [(0,)]
    assert await delete_runs(world.database, ada.identity, STREAMS, ids) == 30
    assert await archive_runs(world.database, ada.identity, STREAMS, []) == 0


async def test_an_undo_leaves_in_the_archive_what_was_there_before(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    rows = await world.sql(
        """insert into streams (org_id, name, archived_at)
           values (%s, 'new', null), (%s, 'old', '2026-01-02') returning id""",
        org, org,
    )  # fmt: skip
    archived: list[UUID] = []
    count = await archive_runs(
        world.database, ada.identity, STREAMS, [row[0] for row in rows], on_batch=archived.extend
    )
    assert (count, archived) == (1, [rows[0][0]])
    await archive_runs(world.database, ada.identity, STREAMS, archived, is_archived=False)
    assert await world.sql(
        "select name, archived_at::date::text from streams where org_id = %s order by name", org
    ) == [
        ("new", None),
        ("old", "2026-01-02"),
    ]


@pytest.mark.parametrize("act", [close_runs, archive_runs, delete_runs])
async def test_neither_a_viewer_nor_another_organisation_changes_a_run(
    world: World, act: Callable[..., Awaitable[int]]
) -> None:
    ours, theirs = await world.organization(), await world.organization()
    runs = await one_of_each(world, ours)
    before = await statuses(world, runs)
    viewer, eve = await world.person(ours, role=Role.VIEWER), await world.person(theirs, role=Role.ADMIN)
    for person in (viewer, eve):
        for entity in RUNS:
            with pytest.raises(PermissionDenied):
                await act(world.database, person.identity, entity, [runs[entity.table]])
    assert await statuses(world, runs) == before


async def test_what_is_unreachable_for_long_ends_at_its_last_report(world: World) -> None:
    org, patient = await world.organization(), await world.organization()
    silent, fresh, quiet = [await one_of_each(world, org) for _ in range(3)]
    kept = await one_of_each(world, patient)
    await world.sql("insert into retention (org_id, unreachable_days) values (%s, null)", patient)
    beat = "update {} set heartbeat_at = now() - %s::interval, heartbeat_interval = 30 where id = %s"
    for runs, age in ((silent, "8 days"), (fresh, "6 days"), (kept, "1000 days")):
        for table, id in runs.items():
            await world.sql(beat.format(table), age, id)
    for table, id in quiet.items():  # it never promised to report
        await world.sql(f"update {table} set created_at = now() - interval '90 days' where id = %s", id)
    before = await statuses(world, fresh)
    await end_unreachable(world.database)
    assert await statuses(world, silent) == [("cancelled", True)] * 3
    assert await statuses(world, fresh) == await statuses(world, quiet) == await statuses(world, kept) == before
    [row] = await world.sql(
        "select finished_at = heartbeat_at, error like 'Unreachable since %%' from streams where id = %s",
        silent["streams"],
    )
    assert row == (True, True)
    assert not any((await end_unreachable(world.database)).values())
