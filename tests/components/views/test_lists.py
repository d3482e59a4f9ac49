"""List views over many rows: queries, stable order and consistent counts."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.presentation.rows import present_stream
from components.views.lists.controls import ControlsView
from components.views.lists.rows import RowsView
from components.window.batch import Batch
from services.entities import STREAMS, GoalStatus, RowGroup, Stream
from services.lists.query import ListQuery
from services.realtime.rows import Rows as FeedRows
from services.realtime.transports.change import Change, Operation

ORG = uuid4()


class Rows:
    """Fake subscription whose rows a test changes."""

    def __init__(self) -> None:
        self.is_loaded = self.is_complete = True
        self.is_denied = self.is_cut = False
        self.groups: list[RowGroup[Stream]] | None = None
        self._rows = FeedRows(STREAMS, quarantine=lambda table, id, reason: None)
        self._version = 0
        self.derived = self._rows.derived
        self.get = self._rows.get

    @property
    def is_partial(self) -> bool:
        return self.is_cut

    @property
    def all_groups(self) -> list[RowGroup[Stream]] | None:
        return self.groups

    @property
    def is_exact(self) -> bool:
        return self.groups is not None

    def rows(self) -> list[Stream]:
        return list(self._rows)

    def put(self, name: str, *, completed: int = 0, status: GoalStatus = GoalStatus.ON_TRACK, **more: Any) -> UUID:
        id = UUID(int=sum(ord(letter) * 257**place for place, letter in enumerate(name)))
        fields = {"id": id, "org_id": ORG, "name": name, "completed": completed, "total": 100, "goal_status": status}
        self._change(id, fields | more)
        return id

    def drop(self, name: str) -> UUID:
        id = next(row.id for row in self.rows() if row.name == name)
        self._change(id, None)
        return id

    def _change(self, id: UUID, fields: dict[str, Any] | None) -> None:
        self._version += 1
        record = {**fields, "version": self._version} if fields else None
        operation = Operation.UPDATE if record else Operation.DELETE
        change = Change(table="streams", operation=operation, id=id, version=self._version, record=record)
        assert self._rows.apply(change)


class Screen:
    """Fake element that holds the rows a user sees after the batches."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.rows: dict[str, dict[str, Any]] = {}
        self.first = self.total = 0
        self.waiting: dict[str, Any] = {}
        self.folds: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        return [self.rows[id]["name"] for id in self.order]

    def apply(self, batch: Batch | None) -> None:
        if batch is None:
            return
        facet_values: Any = batch.get("reset", batch)
        self.first, self.total = facet_values.get("first", self.first), facet_values.get("total", self.total)
        self.waiting = facet_values.get("waiting", self.waiting)
        self.folds = facet_values.get("folds", self.folds)
        if reset := batch.get("reset"):
            self.rows = {id: dict(fields) for id, fields in reset["rows"].items()}
            self.order = reset["order"]
            return
        for id, fields in batch.get("set", {}).items():
            self.rows[id] = {**self.rows.get(id, {}), **fields}
        self.order = batch.get("order", self.order)


def view_of(rows: Rows, key: Callable[[Stream], Any], **options: Any) -> RowsView[Stream]:
    return RowsView(rows, present=present_stream, key=key, **options)


def by_name(row: Stream) -> str:
    return row.name


def by_progress(row: Stream) -> float:
    return -(row.percentage or 0)


def query(**params: str) -> ListQuery[Stream]:
    return ListQuery.parse(STREAMS.listing, params)


@pytest.mark.parametrize(
    "params",
    [{}, {"q": "two words"}, {"status": "at_risk,blocked"}, {"q": "x", "status": "stalled", "sort": "progress"}],
)
def test_an_address_brings_back_what_was_asked(params: dict[str, str]) -> None:
    assert query(**params).params == params


@pytest.mark.parametrize("params", [{"status": "nonsense"}, {"sort": "nonsense"}, {"q": "   "}, {"page": "3"}])
def test_what_an_address_should_not_say_is_left_out(params: dict[str, str]) -> None:
    assert query(**params).params == {}
    assert query(**params).is_everything


def test_a_search_finds_rows_with_every_word_in_any_case() -> None:
    row = Stream(org_id=ORG, name="Nightly Import", stream_type="etl")
    assert query(q="import NIGHT").matches(row)
    assert query(q="etl").matches(row)
    assert not query(q="import export").matches(row)


def test_a_new_row_takes_its_place_while_the_reader_is_at_the_beginning() -> None:
    rows, screen = Rows(), Screen()
    for name in "abd":
        rows.put(name)
    view = view_of(rows, by_name)
    screen.apply(view.full())
    screen.apply(view.patch([rows.put("c")]))
    assert screen.names == ["a", "b", "c", "d"]


def test_under_a_readers_eyes_nothing_moves_until_they_ask() -> None:
    rows, screen = Rows(), Screen()
    for name in "bcd":
        rows.put(name)
    view = view_of(rows, by_name)
    screen.apply(view.full())
    view.scroll(0, is_read=True)
    screen.apply(view.patch([rows.put("a")]))
    assert screen.names == ["b", "c", "d"]
    assert screen.waiting == {"new": 1, "moved": False}
    screen.apply(view.full())
    assert screen.names == ["b", "c", "d"]
    view.settle()
    screen.apply(view.full())
    assert screen.names == ["a", "b", "c", "d"]
    assert screen.waiting == {"new": 0, "moved": False}


def test_a_row_that_went_leaves_at_once_also_under_a_readers_eyes() -> None:
    rows, screen = Rows(), Screen()
    for name in "abc":
        rows.put(name)
    view = view_of(rows, by_name)
    screen.apply(view.full())
    view.scroll(0, is_read=True)
    screen.apply(view.patch([rows.drop("b")]))
    assert screen.names == ["a", "c"]
    assert screen.total == 2


def test_an_order_by_progress_waits_to_be_asked_and_tells_only_when_it_would_differ() -> None:
    rows, screen = Rows(), Screen()
    for name, completed in (("a", 90), ("b", 50), ("c", 10)):
        rows.put(name, completed=completed)
    view = view_of(rows, by_progress, is_volatile=True)
    screen.apply(view.full())
    screen.apply(view.patch([rows.put("c", completed=40)]))
    assert not screen.waiting["moved"]
    screen.apply(view.patch([rows.put("c", completed=60)]))
    assert screen.names == ["a", "b", "c"]
    assert screen.rows[screen.order[2]]["completed"] == 60
    assert screen.waiting["moved"]
    view.settle()
    screen.apply(view.full())
    assert screen.names == ["a", "c", "b"]


def test_of_many_rows_only_a_part_is_sent_and_it_follows_the_reader() -> None:
    rows, screen = Rows(), Screen()
    for number in range(50):
        rows.put(f"{number:02}")
    view = view_of(rows, by_name, limit=10)
    screen.apply(view.full())
    assert (len(screen.rows), screen.total, screen.names[0]) == (10, 50, "00")
    assert view.patch([rows.put("30", completed=5)]) is None
    view.scroll(25, is_read=True)
    screen.apply(view.full())
    assert (screen.first, screen.names[0], screen.names[-1]) == (25, "25", "34")
    assert view.patch([rows.put("30", completed=6)]) is not None
    view.scroll(10**9, is_read=True)
    screen.apply(view.full())
    assert screen.names == ["49"]


def test_counts_are_each_facets_as_if_it_alone_had_nothing_chosen() -> None:
    rows = Rows()
    rows.put("one", status=GoalStatus.BLOCKED)
    rows.put("two", status=GoalStatus.AT_RISK)
    rows.put("another one", status=GoalStatus.AT_RISK)
    controls = ControlsView(rows, query(q="one", status="blocked"))
    shown = (controls.full() or {})["set"]
    assert shown["counts"] | {"status:blocked": 1, "status:at_risk": 1, "status:on_track": 0} == shown["counts"]
    assert shown["summary"] == {"shown": 1, "total": 3, "bound": ""}
    changed = controls.patch([rows.drop("one")]) or {}
    assert changed["set"]["summary"] == {"shown": 0, "total": 2, "bound": ""}
    assert changed["set"]["counts"]["status:blocked"] == 0


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 100), st.booleans()), max_size=40), st.booleans())
def test_whatever_happens_the_list_ends_equal_to_the_rows(
    changes: list[tuple[str, int, bool]], is_volatile: bool
) -> None:
    rows, screen = Rows(), Screen()
    view = view_of(rows, by_progress, is_volatile=is_volatile)
    controls = ControlsView(rows, query())
    screen.apply(view.full())
    controls.full()
    for step, (name, completed, is_there) in enumerate(changes):
        if is_there:
            dirty = rows.put(name, completed=completed)
        elif any(row.name == name for row in rows.rows()):
            dirty = rows.drop(name)
        else:
            continue
        view.scroll(0, is_read=step % 3 == 2)
        screen.apply(view.patch([dirty]))
        controls.patch([dirty])
        for id in screen.order:
            row = rows.get(UUID(id))
            assert row is not None
            assert screen.rows[id] == present_stream(row)
    view.scroll(0, is_read=False)
    screen.apply(view.full())
    assert [by_progress(row) for id in screen.order if (row := rows.get(UUID(id)))] == sorted(
        map(by_progress, rows.rows())
    )
    assert controls.full() == ControlsView(rows, query()).full()


def test_an_empty_list_says_why_rows_may_exist_that_it_does_not_have() -> None:
    rows = Rows()
    view = RowsView(rows, present=present_stream, key=lambda row: row.name)
    controls = ControlsView(rows, query())
    assert (view.full() or {})["reset"]["missing"] == "", "there are none"
    rows.is_complete = False
    assert (view.patch([]) or {})["missing"] == "invalid"
    rows.is_cut = True
    assert (view.patch([]) or {})["missing"] == "older"
    controls.full()
    rows.is_denied, rows.is_loaded = True, False
    for batch in (view.patch([]), view.full()):
        assert (batch or {})["reset"]["missing"] == "refused"
    shown = (controls.patch([]) or {})["set"]["summary"]
    assert shown == {"shown": None, "total": None, "bound": "", "refused": True}, "not 0 of 0"


def test_counts_beyond_the_held_rows_are_those_of_the_groups() -> None:
    rows = Rows()
    rows.put("one", status=GoalStatus.BLOCKED)
    example = Stream.read({"id": uuid4(), "org_id": ORG, "name": "-", "goal_status": "blocked"})
    rows.is_cut, rows.is_complete, rows.groups = True, False, [RowGroup(example=example, count=70)]
    summary = (ControlsView(rows, query(status="blocked")).full() or {})["set"]["summary"]
    assert summary == {"shown": 70, "total": 70, "bound": ""}
    rows.groups = None
    unknown = (ControlsView(rows, query()).full() or {})["set"]
    assert unknown["summary"] == {"shown": None, "total": None, "bound": "least"}
    assert set(unknown["counts"].values()) == {None}, "not 0"
