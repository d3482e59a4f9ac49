"""Reads of jobs, again whenever a run begins, ends or is deleted."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from components.elements.jobs.usual_bar import UsualBar
from components.views.visible_reloads import VisibleReloads
from components.window.live_element import LiveElement
from pages.page.context import PageContext
from services.entities import RUNS, SCHEDULES, Entity
from services.entities.base.reported import Reported
from services.history.jobs import job_of_run
from services.realtime import Delta

RunDelta = Delta[Any]
READ_INTERVAL_SECONDS = 1.0


class JobReader:
    """Reads what an element shows of jobs: when it is mounted, and after runs of theirs have changed.

    A window that nobody looks at reads nothing.

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
        self._matters = matters or has_new_state
        self._reads = VisibleReloads(
            page.window, read, name="jobs", on_failure=lambda error: fail(str(error)), interval=READ_INTERVAL_SECONDS
        )
        subscriptions = [page.window.subscribe(RUNS[kind], on_change=self._changed) for kind in kinds]
        if follows_schedules:
            subscriptions.append(page.window.subscribe(SCHEDULES, on_change=lambda _: self._reads.mark_due()))
        element.on("live", self._reads.start)
        element.on_delete(self._reads.close, *(each.close for each in subscriptions))

    def again(self) -> None:
        """Read once more, for instance since something else is asked for."""
        self._reads.request()

    def _changed(self, deltas: list[RunDelta]) -> None:
        if any(map(self._matters, deltas)):
            self._reads.mark_due()


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
