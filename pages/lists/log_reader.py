"""Reads the log of a run for one window: pages on demand, new lines as they come, and what is searched for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from components.elements.logs.run_log import Marks, RunLog
from pages.page.context import PageContext
from services.auth.identity import Identity
from services.errors import DatabaseTimeLimit, LivewatchError, NotAccepted
from services.history.log_filter import LogFilter
from services.history.run_logs import (
    MAX_LINES,
    LogLine,
    find_lines,
    following_lines,
    line_at,
    lines_around,
    log_lines,
    run_of_line,
)
from services.infra.database import Database
from services.infra.tasks.coalescer import Reloads

T = TypeVar("T")
READ_INTERVAL_SECONDS = 0.2
"""Time between two reads. Lines are not broadcast: writing them is a heartbeat of the run, which windows receive."""
FIRST_LINES = 500
MAX_CHARACTERS = 400_000
"""Characters of the lines of one message; a browser takes some milliseconds for it."""
MAX_FINDS = 2
"""Times that a query is asked while new lines come."""
ACK_TIMEOUT_SECONDS = 10.0
"""A browser that has not taken lines by then has lost them, or its answer was lost."""
GONE = "That line is not in this log. It may have been deleted: the latest 10,000 lines are kept."


class LogReader:
    """Reads for one `RunLog`; a message with new lines is sent once the browser has taken the one before it.

    Args:
        page: The page that shows the log.
        element: The log.
        run: Id of the run.
        clock: Returns seconds.
    """

    def __init__(
        self, page: PageContext, element: RunLog, run: UUID, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._page = page
        self._element = element
        self._run = run
        self._filter = LogFilter(is_marking=True)
        self._last_id = 0
        self._is_mounted = False
        self._is_at_end = True
        self._is_latest_wanted = False
        self._clock = clock
        self._awaits_since: float | None = None
        self._is_answer_due = False
        """Whether the browser waits for an answer even if there are no new lines."""
        self._searching = asyncio.Lock()
        self._wanted = self._filter
        self._has_failed = False
        self._generation = 0
        """Counts what replaces all lines, so that an answer to an earlier question is dropped."""
        self._reloads = Reloads(
            self._read, name=f"log of {run}", on_failure=self._failed, interval=READ_INTERVAL_SECONDS
        )
        self.stop = self._reloads.close

    async def restart(self, target: int | None) -> None:
        """Read again, after the browser has mounted the element: the lines around `target`, or the latest ones."""
        self._is_mounted, self._awaits_since = True, None
        if target:
            await self.go(target)
        else:
            self.read_latest()

    def wake(self) -> None:
        """Read the new lines, if the newest one is in the browser and it has taken what was sent."""
        if self._is_mounted and self._is_at_end and not self._is_awaiting:
            self._reloads.request()

    @property
    def _is_awaiting(self) -> bool:
        return self._awaits_since is not None and self._clock() - self._awaits_since < ACK_TIMEOUT_SECONDS

    def taken(self, is_end: bool) -> None:
        """Read on: the browser has shown the last new lines; unless it has no room for the newest ones."""
        self._awaits_since = None
        self._is_at_end = self._is_at_end and is_end
        self.wake()

    def read_latest(self) -> None:
        """Show the latest lines in place of all others."""
        self._begin()
        self._is_at_end, self._awaits_since, self._is_latest_wanted = True, None, True
        self.wake()

    async def go(self, id: int) -> None:
        """Show the lines around one in place of all others; say so if there is no such line."""
        generation = self._begin()
        self._element.refuse("")
        database, identity, run = self._where
        owner = await self._get(run_of_line(database, identity, id))
        if owner != run:
            self.read_latest()
            # The line of another run is shown by that run's log, maybe on the same page.
            if owner is None:
                self._element.refuse(GONE)
            return
        found = await self._get(lines_around(*self._where, self._filter, id))
        if found is not None and generation == self._generation:
            lines, has_later = found
            self._reset(lines, more=len(lines) > 1, is_end=not has_later, target=id)

    async def jump(self, time: datetime) -> None:
        """Show the first line at or after a time, or the latest lines if there is none."""
        id = await self._get(line_at(*self._where, time, self._filter))
        if id is None:
            self.read_latest()
        else:
            await self.go(id)

    async def read_older(self, before: int) -> None:
        """Show the lines before the line with the id `before`."""
        generation = self._generation
        lines = await self._get(log_lines(*self._where, self._filter, before=before))
        if lines is not None and generation == self._generation:
            shown = _fitting(lines[::-1])[::-1]
            self._element.show(shown, "prepend", more=len(lines) == MAX_LINES or len(shown) < len(lines))

    async def read_newer(self, after: int) -> None:
        """Show the lines after the line with the id `after`, up to the newest one."""
        self._last_id, self._is_at_end, self._is_answer_due = after, True, True
        self.wake()

    async def search(self, given: Mapping[str, Any]) -> None:
        """Mark what matches a query, or show only that."""
        try:
            wanted = LogFilter.parse({**given, "regex": "1" if given.get("regex") else ""})
        except NotAccepted as error:
            self._element.refuse(str(error))
            return
        self._wanted = wanted = replace(wanted, is_marking=not given.get("only"))
        # One search at a time for a window, and of those that wait the latest only.
        async with self._searching:
            if wanted is self._wanted:
                await self._apply(wanted)

    async def _apply(self, wanted: LogFilter) -> None:
        self._element.refuse("")
        marks: Marks | None = []
        for _ in range(MAX_FINDS if wanted.expressions else 0):
            last_id = self._last_id
            marks = await self._get(find_lines(*self._where, wanted))
            # Lines that came meanwhile were read without this query, and may be missing.
            if last_id == self._last_id:
                break
        before = self._filter
        # Lines are shown without a search that failed, which would fail again.
        self._filter = wanted if marks is not None else LogFilter(is_marking=True, level=wanted.level)
        if _kept(before) != _kept(self._filter):
            self.read_latest()
        self._element.found(marks, wanted.terms, leads=wanted.is_marking)

    @property
    def _where(self) -> tuple[Database, Identity, UUID]:
        return self._page.services.database, self._page.session.identity, self._run

    def _begin(self) -> int:
        self._generation += 1
        self._is_at_end = self._is_latest_wanted = False
        return self._generation

    def _reset(self, lines: Sequence[LogLine], *, more: bool, is_end: bool, target: int | None = None) -> None:
        self._succeed()
        self._last_id = lines[-1].id if lines else 0
        self._is_at_end, self._awaits_since = is_end, None
        self._element.show(lines, "reset", more=more, is_end=is_end, target=target)
        self.wake()

    async def _read(self) -> None:
        if self._is_awaiting or not self._is_at_end:
            return
        generation, after = self._generation, self._last_id
        try:
            if self._is_latest_wanted:
                lines, is_cut = await log_lines(*self._where, self._filter, limit=FIRST_LINES), False
            else:
                lines, is_cut = await following_lines(*self._where, self._filter, after)
        except (NotAccepted, DatabaseTimeLimit) as error:
            # It would fail again: the query is too costly.
            self._is_at_end = False
            self._element.refuse(str(error))
            return
        if generation != self._generation or after != self._last_id:
            return
        self._succeed()
        if self._is_latest_wanted:
            self._is_latest_wanted = False
            self._reset(lines, more=len(lines) == FIRST_LINES, is_end=True)
        elif lines or self._is_answer_due:
            shown = _fitting(lines)
            self._last_id = shown[-1].id if shown else after
            self._awaits_since, self._is_answer_due = self._clock(), False
            is_cut = is_cut and after > 0 and not self._filter.is_active
            self._element.show(shown, "append", is_end=True, is_cut=is_cut)

    async def _get(self, work: Awaitable[T]) -> T | None:
        try:
            return await work
        except LivewatchError as error:
            self._element.refuse(str(error))
            return None

    def _failed(self, error: LivewatchError) -> None:
        self._has_failed = True
        self._element.fail(f"The log could not be read: {error}")

    def _succeed(self) -> None:
        if self._has_failed:
            self._has_failed = False
            self._element.fail("")


def _kept(filter: LogFilter) -> LogFilter:
    """The part of a filter that decides which lines are shown."""
    return LogFilter(level=filter.level) if filter.is_marking else filter


def _fitting(lines: Sequence[LogLine]) -> Sequence[LogLine]:
    """The first lines that fit into one message."""
    room = MAX_CHARACTERS
    for index, line in enumerate(lines):
        room -= len(line.message) + 60
        if room < 0 and index:
            return lines[:index]
    return lines
