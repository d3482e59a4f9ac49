"""The reducer, without a network."""

import random
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.entities import STREAMS, Stream
from services.realtime.rows import Rows
from services.realtime.transports.change import Change, Operation

ORG = uuid4()
Quarantine = list[tuple[str, str, str]]


def record(id: UUID, version: int, **fields: Any) -> dict[str, Any]:
    return {"id": str(id), "org_id": str(ORG), "version": version, "name": f"v{version}", **fields}


def upsert(id: UUID, version: int, **fields: Any) -> Change:
    row = record(id, version, **fields)
    return Change(table="streams", operation=Operation.UPDATE, id=id, version=version, record=row)


def delete(id: UUID, version: int) -> Change:
    return Change(table="streams", operation=Operation.DELETE, id=id, version=version, record=None)


@pytest.fixture
def quarantine() -> Quarantine:
    return []


@pytest.fixture
def rows(quarantine: Quarantine) -> Rows[Stream]:
    return Rows(STREAMS, quarantine=lambda *each: quarantine.append(each))


def test_a_newer_version_replaces_an_older_one(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 1))
    delta = rows.apply(upsert(id, 2))
    assert delta
    assert delta.old
    assert delta.new
    assert (delta.old.name, delta.new.name) == ("v1", "v2")


def test_an_older_version_never_overwrites_a_newer_one(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 5))
    assert rows.apply(upsert(id, 4)) is None
    assert rows.get(id).name == "v5"  # type: ignore[union-attr]


def test_the_same_event_twice_changes_nothing_the_second_time(rows: Rows[Stream]) -> None:
    id = uuid4()
    assert rows.apply(upsert(id, 1))
    assert rows.apply(upsert(id, 1)) is None


def test_a_deleted_row_does_not_come_back_by_an_older_event(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 3))
    rows.apply(delete(id, 3))
    assert rows.apply(upsert(id, 2)) is None
    assert rows.get(id) is None


def test_a_row_inserted_again_under_its_old_id_is_a_new_row(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 3))
    rows.apply(delete(id, 3))
    rows.apply(upsert(id, 4))
    assert rows.get(id)


def test_a_delete_that_comes_late_does_not_end_the_row_that_followed(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 9))
    assert rows.apply(delete(id, 3)) is None
    assert rows.get(id)


def test_a_snapshot_tells_what_differs_and_nothing_else(rows: Rows[Stream]) -> None:
    kept, changed, gone, new = (uuid4() for _ in range(4))
    rows.replace([record(kept, 1), record(changed, 2), record(gone, 3)])
    deltas = rows.replace([record(kept, 1), record(changed, 4), record(new, 5)])
    assert {delta.id for delta in deltas} == {changed, gone, new}
    assert {row.id for row in rows} == {kept, changed, new}


def test_a_row_that_fails_validation_is_quarantined_and_the_rest_goes_on(
    rows: Rows[Stream], quarantine: Quarantine
) -> None:
    good, bad = uuid4(), uuid4()
    rows.replace([record(good, 1), record(bad, 2, goal_status="enchanted")])
    assert [row.id for row in rows] == [good]
    ((table, id, reason),) = quarantine
    assert (table, id) == ("streams", str(bad))
    assert "goal_status" in reason
    assert "enchanted" not in reason


def test_a_row_that_turns_bad_leaves_and_comes_back_when_it_is_mended(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 1))
    delta = rows.apply(upsert(id, 2, completed=-1))
    assert delta
    assert delta.new is None
    assert rows.versions() == {id: 2}, "a quarantined row is known, so a reconcile does not read it again"
    rows.apply(upsert(id, 3))
    assert rows.get(id)


Step = tuple[str, int]
STEPS = st.lists(st.tuples(st.sampled_from(["insert", "update", "delete", "snapshot"]), st.integers(0, 3)), max_size=60)


@settings(max_examples=300, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_any_interleaving_of_snapshots_and_late_doubled_changes_ends_equal_to_the_table(
    steps: list[Step], seed: int
) -> None:
    """A model of the database emits changes; they arrive delayed and some twice; a last snapshot settles it."""
    shuffle = random.Random(seed)
    ids = [UUID(int=index) for index in range(4)]
    table: dict[UUID, int] = {}
    in_flight: list[Change] = []
    rows = Rows(STREAMS, quarantine=lambda *_: None)
    for version, (kind, index) in enumerate(steps, start=1):
        id = ids[index]
        if kind in ("insert", "update") and (id in table) == (kind == "update"):
            table[id] = version
            in_flight.append(upsert(id, version))
        elif kind == "delete" and id in table:
            in_flight.append(delete(id, table.pop(id)))
        elif kind == "snapshot":
            rows.replace([record(id, held) for id, held in table.items()])
        while in_flight and shuffle.random() < 0.4:
            change = in_flight.pop(0)
            rows.apply(change)
            if shuffle.random() < 0.3:
                rows.apply(change)
    for change in in_flight:
        rows.apply(change)
    assert rows.versions() == table
    assert rows.replace([record(id, held) for id, held in table.items()]) == []
