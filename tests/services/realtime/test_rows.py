"""The reducer, without a network."""

import random
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.entities import STREAMS, Stream
from services.realtime.rows import Rows
from services.realtime.transports.change import Change
from tests.services.realtime.fakes import delete, record, upsert

Quarantine = list[tuple[str, str, str | None]]


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
    assert reason
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


def name_of(row: Stream) -> str:
    return row.name


def is_even(row: Stream) -> bool:
    return row.version % 2 == 0


class Marks:
    """A shared value that remembers which rows were marked."""

    def __init__(self, rows: Rows[Stream]) -> None:
        self.ids = [row.id for row in rows]

    def mark(self, id: UUID) -> None:
        self.ids.append(id)

    def touch(self) -> None: ...


def test_a_derived_value_is_computed_once_for_each_row_version_and_epoch(rows: Rows[Stream]) -> None:
    id, calls = uuid4(), []

    def derive(row: Stream) -> int:
        calls.append(row.version)
        return row.version * 10

    assert rows.derived(id, derive) is None
    rows.apply(upsert(id, 1))
    assert [rows.derived(id, derive) for _ in range(3)] == [10, 10, 10]
    assert calls == [1]
    assert rows.derived(id, derive, epoch=1) == 10
    assert calls == [1, 1]
    rows.apply(upsert(id, 2))
    assert rows.derived(id, derive, epoch=1) == 20
    assert rows.derived(id, name_of) == "v2"
    assert rows.derived(id, derive, epoch=1) == 20
    assert calls == [1, 1, 2]
    rows.apply(delete(id, 3))
    assert rows.derived(id, derive, epoch=1) is None


def test_a_count_follows_every_change(rows: Rows[Stream]) -> None:
    first, second = uuid4(), uuid4()
    rows.apply(upsert(first, 2))
    assert rows.count(is_even) == 1
    rows.apply(upsert(second, 4))
    assert (rows.count(is_even), len(rows)) == (2, 2)
    rows.apply(upsert(first, 5))
    assert (rows.count(is_even), len(rows)) == (1, 2)
    rows.apply(delete(second, 6))
    assert (rows.count(is_even), len(rows)) == (0, 1)
    rows.replace([record(second, 8), record(first, 8)])
    assert (rows.count(is_even), len(rows)) == (2, 2)


def test_a_count_is_not_computed_again(rows: Rows[Stream]) -> None:
    calls = []

    def counted(row: Stream) -> bool:
        calls.append(row.version)
        return True

    rows.apply(upsert(uuid4(), 1))
    assert [rows.count(counted), rows.count(counted)] == [1, 1]
    assert calls == [1]


def test_a_shared_value_is_made_once_while_it_is_held_and_marked_for_each_change(rows: Rows[Stream]) -> None:
    first, second = uuid4(), uuid4()
    rows.apply(upsert(first, 1))
    held = rows.shared("marks", Marks)
    assert held is rows.shared("marks", Marks)
    assert held is not rows.shared("others", Marks)
    rows.apply(upsert(second, 1))
    rows.apply(delete(first, 2))
    rows.apply(delete(first, 2))
    assert held.ids == [first, second, first]
    del held
    assert rows.shared("marks", Marks).ids == [second]


def test_a_deleted_row_stays_deleted_until_a_newer_version(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 3))
    rows.apply(delete(id, 4))
    assert rows.apply(upsert(id, 4)) is None
    assert rows.replace([record(id, 4)]) == []
    assert rows.apply(upsert(id, 5))
    assert rows.apply(delete(id, 4)) is None, "an older deletion says nothing about a newer row"
    assert rows.get(id)


def test_a_deletion_without_a_version_removes_the_row_as_it_was(rows: Rows[Stream]) -> None:
    id, foreign = uuid4(), uuid4()
    rows.apply(upsert(id, 3))
    assert rows.apply(delete(id, 0))
    assert rows.apply(upsert(id, 3)) is None
    assert rows.apply(delete(foreign, 0)) is None
    assert rows.apply(upsert(foreign, 0)), "nothing is remembered of a key that never was here"
    assert rows.apply(delete(foreign, 0)), "version 0 says that it is not known"


def test_a_row_of_the_same_version_is_no_change(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.replace([record(id, 3)])
    assert rows.apply(upsert(id, 3, name="other")) is None
    assert rows.replace([record(id, 3, name="other")]) == []
    assert rows.apply(delete(id, 3)), "a deletion may have the version of the row that it deleted"


def test_only_the_latest_deletions_are_remembered(rows: Rows[Stream], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.realtime.rows.MAX_TOMBSTONES", 2)
    first, second, third = uuid4(), uuid4(), uuid4()
    rows.apply(delete(first, 5))
    rows.apply(delete(second, 5))
    rows.apply(delete(first, 6))
    rows.apply(delete(first, 4))
    rows.apply(delete(third, 5))
    assert rows.apply(upsert(first, 6)) is None
    assert rows.apply(upsert(third, 5)) is None
    assert rows.apply(upsert(second, 5)), "the oldest deletion is forgotten"


def test_a_quarantined_row_that_is_deleted_or_gone_from_the_table_is_forgotten(
    rows: Rows[Stream], quarantine: Quarantine
) -> None:
    deleted, gone, mended = uuid4(), uuid4(), uuid4()
    for id in (deleted, gone, mended):
        rows.apply(upsert(id, 2, completed=-1))
    rows.apply(delete(deleted, 3))
    assert rows.versions() == {gone: 2, mended: 2}
    rows.replace([record(mended, 1, completed=-1)])
    assert rows.versions() == {mended: 1}
    rows.apply(upsert(mended, 4))
    assert not rows.has_invalid
    rows.apply(delete(mended, 5))
    assert rows.versions() == {}
    assert [id for _, id, reason in quarantine if reason is None] == [str(deleted), str(gone), str(mended)]


def test_an_older_event_does_not_bring_back_what_a_quarantined_row_was_before(rows: Rows[Stream]) -> None:
    id = uuid4()
    rows.apply(upsert(id, 3, completed=-1))
    assert rows.apply(upsert(id, 2)) is None
    assert rows.versions() == {id: 3}


def test_a_snapshot_after_a_gap_brings_an_earlier_state_of_the_database(rows: Rows[Stream]) -> None:
    older, same, deleted = uuid4(), uuid4(), uuid4()
    rows.replace([record(older, 7), record(same, 8), record(deleted, 9)])
    rows.apply(delete(deleted, 9))
    restored = [record(older, 3), record(same, 8), record(deleted, 4)]
    assert rows.replace(restored) == []
    assert {delta.id for delta in rows.replace(restored, adopts_older=True)} == {older, deleted}
    assert rows.versions() == {older: 3, same: 8, deleted: 4}
    assert rows.apply(upsert(deleted, 5)), "what comes after it counts"


def test_a_row_without_a_readable_id_is_quarantined_without_an_error(
    rows: Rows[Stream], quarantine: Quarantine
) -> None:
    assert rows.replace([{"id": "no uuid", "version": 1}, {"name": "x"}, {"id": str(uuid4()), "version": "x"}]) == []
    assert [id for _, id, _ in quarantine][:2] == ["no uuid", "None"]
    assert "Field required" in str(quarantine[1][2])
    assert "http" not in str(quarantine[0][2])
    assert rows.versions() == {}
