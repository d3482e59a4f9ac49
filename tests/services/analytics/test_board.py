"""Boards from and to URLs, and readings that windows share."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics import shared
from services.analytics.board import CHARTS, DEFAULT_CHARTS, SIZES, Board
from services.analytics.reading import Reading
from services.analytics.shared import BoardReadings
from services.period import PERIODS
from tests.world import World

TEXTS = st.text(max_size=300)
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["streams", "scans", "agents", "", "alerts"]),
        "from": st.sampled_from([*PERIODS, "all", "2026-01-01", "100y", ""]),
        "to": st.sampled_from(["2026-02-01", "", "soon"]),
        "zone": st.sampled_from(["Europe/Berlin", "", "Mars/Base", "../../etc/passwd", "\0"]),
        "charts": st.lists(st.sampled_from([f"{name}.{size}" for name in CHARTS for size in SIZES])).map(",".join),
        "q": TEXTS,
        "status": st.sampled_from(["failed", "completed,failed", "asleep", ""]),
        "tag": TEXTS,
        "job_id": st.sampled_from(["", "x", "6f1c0a34-0000-4000-8000-000000000000"]),
    },
)


@given(PARAMS)
def test_a_board_is_what_its_address_says(params: dict[str, str]) -> None:
    board = Board.parse(params)
    again = Board.parse(board.params)
    assert not again.problem
    assert again.params == board.params
    for name in ("words", "chosen", "period"):
        assert getattr(again.query, name) == getattr(board.query, name), name
    assert (again.charts, again.kind, again.zone) == (board.charts, board.kind, board.zone)
    assert set(board.params) <= set(board.parameter_names)


def test_the_default_board_needs_no_address() -> None:
    assert Board.parse({}).params == {}
    assert Board.parse({}).charts == DEFAULT_CHARTS
    assert Board.parse({"charts": "none"}).charts == ()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"kind": "jobs"}, "no kind of run “jobs”"),
        ({"zone": "Mars/Base"}, "no time zone “Mars/Base”"),
        ({"from": "yesterday"}, "“yesterday” is not a time"),
        ({"from": "2026-02-01", "to": "2026-01-01"}, "ends before it begins"),
        ({"charts": "pie.l,load"}, "no chart “pie”"),
    ],
)
def test_what_is_not_valid_is_said(params: dict[str, str], said: str) -> None:
    assert said in Board.parse(params).problem


@pytest.mark.integration
async def test_windows_with_one_board_share_a_reading(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org, other = await world.organization(), await world.organization()
    ada, bob = await world.person(org, other), await world.person(org, other)
    reads: list[Any] = []
    gate = asyncio.Event()

    async def read(*given: Any, **named: Any) -> Reading:
        reads.append(given)
        await gate.wait()
        return Reading(parts=None, zone=named["zone"])

    monkeypatch.setattr(shared, "read_board", read)
    clock = [1.0]
    readings = BoardReadings(world.database, clock=lambda: clock[0])
    board, mine = Board.parse({"charts": "load"}), Board.parse({"charts": "alerts"})

    def ask(
        person: Any, org_id: Any, wanted: Board, *, since: float | None = None
    ) -> "asyncio.Task[tuple[Reading, float]]":
        return asyncio.create_task(readings.read(person.identity, org_id, wanted, zone="UTC", since=since))

    asked = [ask(ada, org, board), ask(bob, org, board, since=1.0), ask(ada, other, board)]
    asked += [ask(ada, org, mine), ask(bob, org, mine)]
    gate.set()
    await asyncio.gather(*asked)
    assert len(reads) == 4, "one for the first two; one for another organisation; alerts for each person"
    clock[0] = 2.0
    known, began = await asked[0]
    assert began == 1.0
    assert (await ask(bob, org, board, since=1.0))[0] is known
    again, began = await ask(bob, org, board, since=1.5)
    assert (again is not known, began) == (True, 2.0), "what has changed since is read again"
    assert len(reads) == 5
    clock[0] = 3.0
    assert readings.begin(ada.identity, org, board, zone="UTC") == 3.0
    clock[0] = 4.0
    assert (await ask(ada, org, board, since=3.0))[1] == 3.0, "what was begun before it was asked for"
    assert len(reads) == 6
