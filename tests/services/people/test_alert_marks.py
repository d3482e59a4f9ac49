"""Alerts that are acknowledged and dismissed together, and the undo that makes each what it was."""

from uuid import UUID

import pytest

from services.entities import AlertStatus
from services.people import alert_marks
from services.people.alert_marks import restore_alerts, set_alert_status
from tests.world import Person, World

pytestmark = pytest.mark.integration


async def alerts_of(world: World, org: UUID, person: Person, *states: tuple[str, str | None]) -> list[UUID]:
    """Insert alerts with a status and a time of reading."""
    ids = []
    for status, read_at in states:
        rows = await world.sql(
            """insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength, status, read_at)
               values (%s, %s, 'a', 't', 60, %s, %s) returning id""",
            org, person.id, status, read_at,
        )  # fmt: skip
        ids.append(rows[0][0])
    return ids


async def states_of(world: World, ids: list[UUID]) -> list[tuple[str, str | None]]:
    rows = await world.sql("select id, status, read_at::date::text from signal_alerts where id = any(%s)", ids)
    found = {row[0]: (row[1], row[2]) for row in rows}
    return [found[id] for id in ids]


@pytest.mark.parametrize("status", [AlertStatus.ACKNOWLEDGED, AlertStatus.DISMISSED])
async def test_an_undo_makes_each_alert_what_it_was(
    world: World, status: AlertStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_marks, "BATCH_ROWS", 2)
    org = await world.organization()
    ada = await world.person(org)
    before = [("new", None), ("new", "2026-01-02"), ("acknowledged", "2026-01-03"), ("dismissed", "2026-01-04")]
    ids = await alerts_of(world, org, ada, *before)
    marks = await set_alert_status(world.database, ada.identity, ids, status)
    assert {state for state, _ in await states_of(world, ids)} == {status.value}
    assert all(read_at for _, read_at in await states_of(world, ids))
    assert len(marks) == 3, "one had the status already"
    assert await restore_alerts(world.database, ada.identity, marks, since=status) == 3
    assert await states_of(world, ids) == before


async def test_an_undo_leaves_alone_what_was_decided_since(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ids = await alerts_of(world, org, ada, ("new", None), ("new", None))
    marks = await set_alert_status(world.database, ada.identity, ids, AlertStatus.ACKNOWLEDGED)
    await set_alert_status(world.database, ada.identity, ids[:1], AlertStatus.DISMISSED)
    assert await restore_alerts(world.database, ada.identity, marks, since=AlertStatus.ACKNOWLEDGED) == 1
    assert [state for state, _ in await states_of(world, ids)] == ["dismissed", "new"]


async def test_nobody_marks_the_alerts_of_others(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, colleague, eve = await world.person(ours), await world.person(ours), await world.person(theirs)
    ids = await alerts_of(world, ours, ada, ("new", None))
    marks = await set_alert_status(world.database, ada.identity, ids, AlertStatus.DISMISSED)
    for person in (colleague, eve):
        assert await set_alert_status(world.database, person.identity, ids, AlertStatus.ACKNOWLEDGED) == []
        assert await restore_alerts(world.database, person.identity, marks, since=AlertStatus.DISMISSED) == 0
    assert [state for state, _ in await states_of(world, ids)] == ["dismissed"]
