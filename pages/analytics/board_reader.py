"""Reads a board for one window: when it is asked for, after runs have changed, and as time goes on."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from components.elements.analytics.board import AnalyticsBoard
from components.views.visible_reloads import VisibleReloads
from pages.lists.job_reader import state_of
from pages.page.context import PageContext
from services.analytics.amounts import AMOUNTS
from services.analytics.board import Board
from services.analytics.reading import Reading
from services.entities import ALERTS, RUNS
from services.entities.base.reported import Reported
from services.realtime import Delta, FeedStatus

MIN_PAUSE_SECONDS = 0.4
DATABASE_BUDGET = 0.1
"""Share of time that the reads of one board may keep the database busy while runs change."""
MOVING_SECONDS = 15.0
"""Time after which a range that ends now is read again though nothing changed."""


class BoardReader:
    """Reads the present board and shows it. A window that nobody looks at reads nothing.

    Args:
        page: Context of the page.
        element: The board.
        board: What it shows first.
        show: Shows a reading.
        fail: Shows why reading failed.
    """

    def __init__(
        self,
        page: PageContext,
        element: AnalyticsBoard,
        board: Board,
        *,
        show: Callable[[Reading], object],
        fail: Callable[[str], object],
    ) -> None:
        self._page = page
        self._readings = page.services.boards
        self._show = show
        self.board = board
        self._zone = _zone_told(page.zone)
        """The reader's zone, empty until the browser has told it."""
        self._due_since: float | None = None
        if self._zone:
            # While the browser loads what draws it.
            self._due_since = self._readings.begin(
                page.session.identity, page.membership.org_id, board, zone=self._zone
            )
        self._read_at = self._changed_at = 0.0
        self._is_asked = asyncio.Event()
        self._reads = VisibleReloads(
            page.window, self._read, name="analytics", on_failure=lambda error: fail(str(error))
        )
        self._subscriptions = [
            page.window.subscribe(entity, on_change=self._changed, on_status=self._passed)
            for entity in (*RUNS.values(), ALERTS)
        ]
        element.on_zone(self._start)
        element.on_delete(self._reads.close, *(each.close for each in self._subscriptions))

    def choose(self, board: Board) -> None:
        """Read another board."""
        self.board = board
        self._due_since = self._readings.now()
        self._is_asked.set()
        self._reads.request()

    def _start(self, zone: str) -> None:
        self._zone = _zone_told(zone)
        self._reads.start()

    def _mark_due(self) -> None:
        if self._due_since is None:
            self._due_since = self._readings.now()
        self._reads.mark_due()

    def _changed(self, deltas: list[Delta[Any]]) -> None:
        # Points of metrics are no change of a state, but a heartbeat.
        has_amounts = any(self.board.shows(chart) for chart in AMOUNTS)
        if has_amounts or any(_state(delta.old) != _state(delta.new) for delta in deltas):
            self._changed_at = self._readings.now()
            self._mark_due()

    def _passed(self, status: FeedStatus) -> None:
        """Read again with time, as probes tell that it passes."""
        if self._due_since is None and self._readings.now() - self._read_at > MOVING_SECONDS:
            self._mark_due()

    async def _read(self) -> None:
        if any(each.is_denied for each in self._subscriptions):
            return
        board, since = self.board, self._due_since
        self._is_asked.clear()
        self._due_since, began = None, self._readings.now()
        try:
            reading, read_since = await self._readings.read(
                self._page.session.identity, self._page.membership.org_id, board, zone=self._zone, since=since
            )
        except BaseException:
            self._due_since = since
            raise
        self._read_at = self._readings.now()
        if self._changed_at > read_since:
            # Another window's reading may lack the latest of several changes.
            self._mark_due()
        # A slow answer to an earlier choice must not take the place of a later one.
        if board is self.board:
            self._show(reading)
        pause = max(MIN_PAUSE_SECONDS, (self._read_at - began) * (1 / DATABASE_BUDGET - 1))
        with suppress(TimeoutError):
            # What a person asks for does not wait.
            await asyncio.wait_for(self._is_asked.wait(), pause)


def _zone_told(zone: str) -> str:
    """Return the name of a zone that the browser told; an empty one if there is none of it."""
    return "" if Board.parse({"zone": zone}).problem else zone


def _state(row: Any) -> object:
    return state_of(row) if isinstance(row, Reported) else row is not None
