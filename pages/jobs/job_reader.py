"""Reads of jobs, again whenever a run begins, ends or is deleted."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from components.window.live_element import LiveElement
from pages.page.context import PageContext
from services.entities import AGENTS, SCANS, STREAMS
from services.entities.base.reported import Reported
from services.infra.coalescer import Reloads
from services.realtime import Delta

READ_INTERVAL_SECONDS = 1.0
RUN_ENTITIES = {"streams": STREAMS, "scans": SCANS, "agents": AGENTS}


class JobReader:
    """Reads what an element shows of jobs: when it is mounted, and after runs of theirs have changed.

    Args:
        page: Context of the page.
        element: Emits `live` once it is mounted.
        read: Reads and shows.
        fail: Shows why reading failed.
        kinds: Kinds of run that matter.
        job: Returns the id of the job that matters; None for all of the organisation.
        run: Id of the run that matters; None for all.
    """

    def __init__(
        self,
        page: PageContext,
        element: LiveElement,
        *,
        read: Callable[[], Awaitable[object]],
        fail: Callable[[str], object],
        kinds: tuple[str, ...],
        job: Callable[[], UUID | None] = lambda: None,
        run: UUID | None = None,
    ) -> None:
        self._job = job
        self._run = run
        self._is_mounted = False
        self._reloads = Reloads(
            read, name="jobs", on_failure=lambda error: fail(str(error)), interval=READ_INTERVAL_SECONDS
        )
        subscriptions = [page.window.subscribe(RUN_ENTITIES[kind], on_change=self._changed) for kind in kinds]
        element.on("live", self.start)
        element.on_delete(self._reloads.close, *(subscription.close for subscription in subscriptions))

    def start(self) -> None:
        """Read, after the browser has mounted the element."""
        self._is_mounted = True
        self._reloads.request()

    def again(self) -> None:
        """Read once more, for instance since something else is asked for."""
        if self._is_mounted:
            self._reloads.request()

    def _changed(self, deltas: list[Delta[Any]]) -> None:
        if self._is_mounted and any(self._matters(delta) for delta in deltas):
            self._reloads.request()

    def _matters(self, delta: Delta[Any]) -> bool:
        row = delta.new or delta.old
        if self._run not in (None, delta.id):
            return False
        if not isinstance(row, Reported) or row.job_id is None or self._job() not in (None, row.job_id):
            return False
        # Progress alone changes nothing here.
        return _state(delta.old) != _state(delta.new)


def _state(row: Any) -> object:
    return row and (row.is_finished, row.attempt, getattr(row, "goal_status", None) or row.status)
