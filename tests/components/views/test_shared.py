"""Shared views: each window ends with the same rows as with a view of its own."""

import gc
import json
from typing import Any, cast
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from components.presentation.rows import present_stream
from components.views.lists.rows import RowsView
from components.views.shared import MAX_PATCHES, AllRows, SharedView, SharedViewCursor, shared_by
from components.window.batch import Payload
from services.entities import STREAMS, GoalStatus, Stream
from services.realtime.rows import Rows
from services.realtime.transports.change import Change, Operation

ORG = uuid4()


def by_name(row: Stream) -> str:
    return row.name


class World:
    """Changing rows of a feed, and the views computed from them."""

    def __init__(self) -> None:
        self.rows = Rows(STREAMS, quarantine=lambda table, id, reason: None)
        self.version = 0
        self.computed = 0

    def put(self, number: int, completed: int) -> UUID:
        id = UUID(int=number)
        fields = {"id": id, "org_id": ORG, "name": f"Stream {number}", "completed": completed, "total": 100}
        return self._change(id, {**fields, "goal_status": GoalStatus.ON_TRACK})

    def drop(self, number: int) -> UUID:
        return self._change(UUID(int=number), None)

    def _change(self, id: UUID, fields: dict[str, Any] | None) -> UUID:
        self.version += 1
        self.rows.apply(
            Change(
                table="streams",
                operation=Operation.UPDATE if fields else Operation.DELETE,
                id=id,
                version=self.version,
                record={**fields, "version": self.version} if fields else None,
            )
        )
        return id

    def present(self, row: Stream) -> dict[str, Any]:
        self.computed += 1
        return present_stream(row)

    def view(self, source: AllRows[Stream]) -> RowsView[Stream]:
        return RowsView(source, present=self.present, key=by_name)

    def shared(self) -> SharedView:
        return self.rows.shared("all", shared_by(self.view))


class Window:
    """Cursor of a window in the shared view, and the rows its user sees."""

    def __init__(self, world: World) -> None:
        self.own = world.view(AllRows(world.rows))
        self.is_alone = False
        self.part = SharedViewCursor(lambda: None if self.is_alone else world.shared(), self.own)
        self.shown: dict[str, dict[str, Any]] = {}
        self.order: list[str] = []
        self.dirty: set[UUID] = set()
        self.apply(self.part.full())

    def note(self, *ids: UUID) -> None:
        """Take note of changed rows, as a binding does."""
        if not self.part.is_shared:
            self.dirty.update(ids)

    def flush(self) -> None:
        dirty, self.dirty = self.dirty, set()
        self.apply(self.part.patch(dirty))

    def apply(self, sent: Payload) -> None:
        batches = [sent] if isinstance(sent, str | dict) else list(sent or ())
        for each in batches:
            batch = json.loads(each) if isinstance(each, str) else each
            if reset := batch.get("reset"):
                self.shown, self.order = {id: dict(row) for id, row in reset["rows"].items()}, reset["order"]
                continue
            for id, fields in batch.get("set", {}).items():
                self.shown[id] = {**self.shown.get(id, {}), **fields}
            self.order = batch.get("order", self.order)

    @property
    def completed(self) -> list[tuple[str, int]]:
        return [(self.shown[id]["name"], self.shown[id]["completed"]) for id in self.order]


def truth(world: World) -> list[tuple[str, int]]:
    return sorted((row.name, row.completed) for row in world.rows)


def test_a_change_is_computed_once_for_all_windows() -> None:
    world = World()
    ids = [world.put(number, 0) for number in range(5)]
    windows = [Window(world) for _ in range(20)]
    world.computed = 0
    world.put(3, 7)
    for window in windows:
        window.note(ids[3])
        window.flush()
        assert window.completed == truth(world)
    assert world.computed == 1


def test_a_window_that_is_far_behind_gets_everything() -> None:
    world = World()
    id = world.put(1, 0)
    quick, slow = Window(world), Window(world)
    for completed in range(1, MAX_PATCHES + 5):
        world.put(1, completed)
        quick.note(id)
        quick.flush()
    slow.note(id)
    slow.flush()
    assert slow.completed == truth(world)
    assert quick.completed == truth(world)


def test_a_window_that_goes_its_own_way_is_sent_nothing_twice_and_misses_nothing() -> None:
    world = World()
    ids = [world.put(number, 0) for number in range(3)]
    window, other = Window(world), Window(world)
    world.put(1, 5)
    other.note(ids[1])
    other.flush()
    window.is_alone = True
    window.own.scroll(0, is_read=True)
    world.put(2, 9)
    window.note(*ids)
    window.flush()
    assert window.completed == truth(world)
    before = window.own.patch(())
    assert before is None
    window.is_alone = False
    window.flush()
    assert window.completed == truth(world)


def test_what_time_alone_changes_is_looked_at_once_in_an_epoch_for_all_windows() -> None:
    """As of a list of unreachable runs, whose rows do not change when they become so."""
    world = World()
    late = {"rows": False}
    ids = [world.put(number, 0) for number in range(3)]

    def view(source: AllRows[Stream]) -> RowsView[Stream]:
        return RowsView(source, present=world.present, key=by_name, where=lambda row: late["rows"])

    cursors = [
        SharedViewCursor(lambda: world.rows.shared("late", shared_by(view)), view(AllRows(world.rows)))
        for _ in range(5)
    ]
    for cursor in cursors:
        cursor.full()
    late["rows"] = True
    for cursor in cursors:
        cursor.recheck(ids, 1)
        (patch,) = cast("list[str]", cursor.patch(ids))
        assert len(json.loads(patch)["order"]) == 3
    assert world.computed == 3
    late["rows"] = False
    cursors[0].recheck(ids, 1)
    assert not cursors[0].patch(ids), "what is known is kept for an epoch"
    cursors[0].recheck(ids, 2)
    (patch,) = cast("list[str]", cursors[0].patch(ids))
    assert json.loads(patch)["order"] == []


def test_what_nobody_shares_any_more_is_let_go() -> None:
    world = World()
    world.put(1, 0)
    window = Window(world)
    shared = world.shared()
    assert world.shared() is shared
    del shared, window
    gc.collect()
    assert not world.rows._shared


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 5), st.integers(0, 100)),
        st.tuples(st.just("drop"), st.integers(0, 5), st.just(0)),
        st.tuples(st.just("flush"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("alone"), st.integers(0, 2), st.integers(0, 1)),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_every_window_ends_equal_to_the_rows(steps: list[tuple[str, int, int]]) -> None:
    world = World()
    windows = [Window(world) for _ in range(3)]
    for what, which, value in steps:
        if what == "put":
            changed = world.put(which, value)
            for window in windows:
                window.note(changed)
        elif what == "drop":
            changed = world.drop(which)
            for window in windows:
                window.note(changed)
        elif what == "flush":
            windows[which].flush()
        else:
            windows[which].is_alone = bool(value)
    for window in windows:
        window.flush()
        assert window.completed == truth(world)
