"""Folds of a list: the settled streams of one program take the place of one row."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.views.lists.rows import RowsView
from services.entities import STREAMS, GoalStatus, Stream
from tests.components.views.test_lists import Rows, Screen, by_name, view_of

ENDED = datetime(2026, 1, 1, tzinfo=UTC)


class Programs(Rows):
    """Rows of programs."""

    def report(self, name: str, program: str | None, *, is_over: bool = True, **fields: Any) -> UUID:
        status = GoalStatus.COMPLETED if is_over else GoalStatus.IN_PROGRESS
        return self.put(name, status=status, program=program, finished_at=ENDED if is_over else None, **fields)


def names(rows: Programs, **options: Any) -> tuple[RowsView[Stream], Screen]:
    view, screen = view_of(rows, by_name, fold=STREAMS.listing.fold, **options), Screen()
    screen.apply(view.full())
    return view, screen


def test_the_settled_streams_of_a_program_are_one_row() -> None:
    rows = Programs()
    for name in "abcd":
        rows.report(name, "p")
    rows.report("e", "q")
    rows.report("f", None)
    rows.report("g", None)
    rows.report("h", "p", is_over=False)
    rows.report("i", "p", error="No space left on device")
    view, screen = names(rows)
    assert screen.names == ["a", "e", "f", "g", "h", "i"]
    assert {screen.rows[id]["name"]: count for id, count in screen.folds.items()} == {"a": 3}
    assert screen.total == 6
    screen.apply(view.patch([rows.report("h", "p")]))
    assert screen.names == ["a", "e", "f", "g", "i"]
    assert list(screen.folds.values()) == [4]


def test_the_next_takes_the_place_of_a_first_that_was_deleted() -> None:
    rows = Programs()
    for name in "abc":
        rows.report(name, "p")
    view, screen = names(rows)
    screen.apply(view.patch([rows.drop("a")]))
    assert screen.names == ["b"]
    assert list(screen.folds.values()) == [1]


@pytest.mark.parametrize("is_first_dropped", [True, False])
def test_nothing_folds_below_the_eye_of_a_reader(is_first_dropped: bool) -> None:
    rows = Programs()
    for name in "abcd":
        rows.report(name, "p", is_over=name == "a")
    view, screen = names(rows)
    view.scroll(0, is_read=True)
    screen.apply(view.patch([rows.report("b", "p"), rows.report("c", "p")]))
    assert screen.names == ["a", "b", "c", "d"]
    if is_first_dropped:
        screen.apply(view.patch([rows.drop("a")]))
        assert screen.names == ["b", "c", "d"]
    view.scroll(0, is_read=False)
    screen.apply(view.full())
    assert screen.names == (["b", "d"] if is_first_dropped else ["a", "d"])


def test_an_opened_fold_shows_every_row() -> None:
    rows = Programs()
    for name in "abc":
        rows.report(name, "p")
    view, screen = names(rows)
    view.folds.opened.add("p")
    screen.apply(view.full())
    assert screen.names == ["a", "b", "c"]
    assert screen.folds == {}


STEPS = st.lists(
    st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["p", "q", None, "drop"]), st.booleans(), st.booleans()),
    max_size=40,
)


@given(STEPS)
def test_patches_lead_to_what_a_fresh_view_shows(steps: list[tuple[str, str | None, bool, bool]]) -> None:
    rows = Programs()
    view, screen = names(rows)
    pending: set[UUID] = set()
    for name, program, is_over, is_flushed in steps:
        if program == "drop":
            if any(row.name == name for row in rows.rows()):
                pending.add(rows.drop(name))
        else:
            pending.add(rows.report(name, program, is_over=is_over))
        if is_flushed:
            screen.apply(view.patch(pending))
            pending.clear()
    screen.apply(view.patch(pending))
    _, fresh = names(rows)
    assert (screen.names, screen.folds, screen.total) == (fresh.names, fresh.folds, fresh.total)
    assert len(screen.names) + sum(screen.folds.values()) == len(rows.rows())
