"""Bulk operations of a user: their progress, and a true message of how many rows they changed."""

from collections.abc import Awaitable, Callable, Sized
from time import monotonic
from typing import Any

from nicegui import ui

from components.shell.feedback import tell_error
from components.shell.undo import offer_undo
from pages.page.context import PageContext
from services.entities import Entity
from services.errors import LivewatchError

PROGRESS_AFTER_SECONDS = 0.7
"""Seconds before an operation shows its progress: most end sooner."""
OnRows = Callable[[int | Sized], None]
OnChanged = Callable[[Any], None]
"""Takes what a batch has changed, for undoing it."""
Work = Callable[[OnRows], Awaitable[object]]
"""An operation; calls its argument with the rows of each batch that it has written, or with their number."""


class BulkOperation:
    """Runs one operation and counts its rows; shows the progress of one that takes long.

    Args:
        page: The page of the user.
        entity: Entity of the rows.
        doing: What is being done, for the progress: "Marking as read".
        done: Past participle, for the message: "marked as read".
        total: Number of rows to change; None if it is not known.
    """

    def __init__(self, page: PageContext, entity: Entity[Any], *, doing: str, done: str, total: int | None) -> None:
        self._client = page.window.client
        self._entity = entity
        self._doing = doing
        self._done = done
        self._total = total
        self._notification: ui.notification | None = None
        self._began = monotonic()
        self.count = 0
        """Rows changed so far."""

    async def run(self, work: Work) -> bool:
        """Run `work`; if it fails, say how far it came and why, and return False."""
        try:
            await work(self._progress)
        except LivewatchError as error:
            self._notify(f"{self.summary}, then it stopped: {error}" if self.count else str(error))
            return False
        finally:
            if self._notification:
                self._notification.dismiss()
        return True

    @property
    def message(self) -> str:
        """How many rows were changed, as a sentence."""
        return f"{amount_of(self._entity, self.count)} {self._done}."

    @property
    def summary(self) -> str:
        """How many rows were changed, and of how many if that is known."""
        if self._total is None or self._total <= self.count:
            return f"{amount_of(self._entity, self.count)} {self._done}"
        return f"{self.count:,} of {amount_of(self._entity, self._total)} {self._done}"

    def _progress(self, rows: int | Sized) -> None:
        self.count += rows if isinstance(rows, int) else len(rows)
        if monotonic() - self._began < PROGRESS_AFTER_SECONDS or self._client.is_deleted:
            return
        of = f"{self.count:,} of {self._total:,}" if self._total else f"{self.count:,}"
        text = f"{self._doing}: {of} {self._entity.plural}"
        if self._notification:
            self._notification.message = text
        else:
            with self._client.content:
                self._notification = ui.notification(text, spinner=True, timeout=None, type="ongoing")

    def _notify(self, message: str) -> None:
        if not self._client.is_deleted:
            with self._client.content:
                tell_error(message)


async def run_undoable(
    page: PageContext,
    entity: Entity[Any],
    change: Callable[[OnChanged], Awaitable[object]],
    restore: Callable[[list[Any], OnRows], Awaitable[object]],
    *,
    total: int,
    doing: str,
    done: str,
    on_restored: Callable[[BulkOperation, int], object] = lambda *_: None,
) -> tuple[bool, int]:
    """Change rows and offer to undo it, also where it stopped half-way.

    Args:
        page: The page of the user.
        entity: Entity of the rows.
        change: Changes them; calls its argument with what it has changed, batch by batch.
        restore: Undoes the changes that it is given, likewise.
        total: Number of rows to change.
        doing: See `BulkOperation`.
        done: See `BulkOperation`.
        on_restored: Called with the undoing, once it is complete, and the number of rows that were to be restored.

    Returns:
        Whether it was completed, and the number of changed rows.
    """
    operation = BulkOperation(page, entity, doing=doing, done=done, total=total)
    changed: list[Any] = []

    async def work(progress: OnRows) -> None:
        def keep(batch: Any) -> None:
            changed.extend(batch)
            progress(batch)

        await change(keep)

    async def undo() -> None:
        undoing = BulkOperation(page, entity, doing="Restoring", done="restored", total=len(changed))
        if await undoing.run(lambda progress: restore(changed, progress)):
            on_restored(undoing, len(changed))

    is_complete = await operation.run(work)
    if changed:
        offer_undo(operation.message if is_complete else f"{operation.summary}.", undo)
    return is_complete, len(changed)


def amount_of(entity: Entity[Any], count: int) -> str:
    """Return a number of rows with their noun."""
    return f"{count:,} {entity.noun if count == 1 else entity.plural}"
