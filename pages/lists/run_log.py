"""Log of a run, read when the section is mounted and after every change of the run."""

from uuid import UUID

from components.elements.logs.run_log import RunLog
from components.shell.feedback import tell_error
from pages.page.context import PageContext
from services.entities import Entity, R
from services.errors import LivewatchError
from services.history.run_logs import MAX_LINES, log_lines
from services.infra.coalescer import Reloads

READ_INTERVAL_SECONDS = 0.5
"""Time between two reads. Lines are not broadcast: writing them is a heartbeat of the run, which windows receive."""


def run_log(page: PageContext, entity: Entity[R], run: UUID) -> RunLog:
    """Show the log of one run; the section is invisible without lines."""
    element = RunLog()
    reader = _LogReader(page, element, run)
    element.on("live", reader.restart)
    element.on_older(reader.read_older)
    subscription = page.window.subscribe(entity, where=lambda row: row.id == run, on_change=lambda _: reader.wake())
    element.on_delete(subscription.close, reader.stop)
    return element


class _LogReader:
    """Reads new lines when the run changes, one query at a time."""

    def __init__(self, page: PageContext, element: RunLog, run: UUID) -> None:
        self._page = page
        self._element = element
        self._run = run
        self._last_id = 0
        self._is_mounted = False
        self._has_failed = False
        self._reloads = Reloads(
            self._read, name=f"log of {run}", on_failure=self._not_read, interval=READ_INTERVAL_SECONDS
        )
        self.stop = self._reloads.close

    def restart(self) -> None:
        """Read the latest lines again, after the browser has mounted the element."""
        self._is_mounted, self._last_id = True, 0
        self.wake()

    def wake(self) -> None:
        """Read the new lines; does nothing before the element is mounted."""
        if self._is_mounted:
            self._reloads.request()

    async def read_older(self, before: int) -> None:
        """Read the lines before the line with the id `before`."""
        try:
            lines = await log_lines(self._page.services.database, self._page.session.identity, self._run, before=before)
        except LivewatchError as error:
            tell_error(str(error))
        else:
            self._element.add(lines, is_older=True, more=len(lines) == MAX_LINES)

    async def _read(self) -> None:
        database, session = self._page.services.database, self._page.session
        lines = await log_lines(database, session.identity, self._run, after=self._last_id)
        if self._has_failed:
            self._has_failed = False
            self._element.fail("")
        if lines:
            is_first = not self._last_id
            self._element.add(lines, is_first=is_first, more=is_first and len(lines) == MAX_LINES)
            self._last_id = lines[-1].id

    def _not_read(self, error: LivewatchError) -> None:
        self._element.fail(str(error))
        self._has_failed = True
