"""Reads of jobs, again whenever a run begins, ends or is deleted."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from components.elements.jobs.usual_bar import UsualBar
from components.window.batch import Payload
from components.window.live_element import LiveElement
from pages.page.context import PageContext
from services.entities import RUNS, SCHEDULES, Entity
from services.entities.base.reported import Reported
from services.history.jobs import job_of_run
from services.infra.tasks.coalescer import Reloads
from services.realtime import Delta

RunDelta = Delta[Any]
READ_INTERVAL_SECONDS = 1.0


class JobReader:
    """Reads what an element shows of jobs: when it is mounted, and after runs of theirs have changed.

    A frame part: a window that nobody looks at reads nothing.

    Args:
        page: Context of the page.
        element: Emits `live` once it is mounted.
        read: Reads and shows.
        fail: Shows why reading failed.
        kinds: Kinds of run that matter.
        matters: Whether a change of a run does; by default, where a run began, ended or is gone.
        follows_schedules: Whether changes of schedules matter as well.
    """

    def __init__(
        self,
        page: PageContext,
        element: LiveElement,
        *,
        read: Callable[[], Awaitable[object]],
        fail: Callable[[str], object],
        kinds: tuple[str, ...],
        matters: Callable[[RunDelta], bool] | None = None,
        follows_schedules: bool = False,
    ) -> None:
        self._window = page.window
        self._matters = matters or has_new_state
        self._is_mounted = self._is_due = False
        self._reloads = Reloads(
            read, name="jobs", on_failure=lambda error: fail(str(error)), interval=READ_INTERVAL_SECONDS
        )
        self._window.add(self)
        subscriptions = [self._window.subscribe(RUNS[kind], on_change=self._changed) for kind in kinds]
        if follows_schedules:
            subscriptions.append(self._window.subscribe(SCHEDULES, on_change=self._schedules_changed))
        element.on("live", self._start)
        element.on_delete(
            self._reloads.close, lambda: self._window.discard(self), *(each.close for each in subscriptions)
        )

    def again(self) -> None:
        """Read once more, for instance since something else is asked for."""
        if self._is_mounted:
            self._reloads.request()

    def collect(self) -> tuple[int, Payload] | None:
        """See `FramePart`."""
        if self._is_due and self._is_mounted:
            self._is_due = False
            self._reloads.request()
        return None

    def refresh(self) -> None:
        """See `FramePart`."""
        self._is_due = True

    def _start(self) -> None:
        self._is_mounted = True
        self._reloads.request()

    def _changed(self, deltas: list[RunDelta]) -> None:
        if not self._is_due and any(map(self._matters, deltas)):
            self._is_due = True
            self._window.mark_dirty()

    def _schedules_changed(self, _: object) -> None:
        self._is_due = True
        self._window.mark_dirty()


def usual_bar(page: PageContext, entity: Entity[Any], run_id: UUID) -> None:
    """Show a run among those of its job; nothing for a run without one."""
    usual = UsualBar(str(run_id))

    async def read() -> None:
        if job := await job_of_run(page.services.database, page.session.identity, entity.table, run_id):
            usual.show(job)

    JobReader(
        page,
        usual,
        read=read,
        # A failed read is tried again; what is shown until then stays true of its time.
        fail=lambda problem: None,
        kinds=tuple(kind for kind, each in RUNS.items() if each.table == entity.table),
        matters=lambda delta: delta.id == run_id and has_new_state(delta),
    )


def has_new_state(delta: RunDelta) -> bool:
    """Whether a run of a job began, ended, changed its status or is gone; progress alone does not count."""
    row = delta.new or delta.old
    return isinstance(row, Reported) and row.job_id is not None and state_of(delta.old) != state_of(delta.new)


def state_of(row: Any) -> object:
    """What changes when a run begins, ends, is tried again or gets another status; None without a row."""
    return row and (row.is_finished, row.attempt, getattr(row, "goal_status", None) or row.status)
