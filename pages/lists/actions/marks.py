"""Marking alerts and notifications as read and unread, one or many, with undo."""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.lists.live_list import LiveList
from components.shell.feedback import tell_error
from components.shell.undo import offer_undo
from pages.lists.actions.bulk import BulkOperation, OnChanged, OnRows, run_undoable
from pages.page.context import PageContext
from services.entities import ALERTS, AlertStatus, Entity
from services.errors import LivewatchError
from services.people.alert_marks import AlertMark, restore_alerts, set_alert_status
from services.people.inbox import EVERYTHING, INBOXES, Chosen, Inbox


def accept_marks(page: PageContext, element: LiveList, inbox: Inbox) -> None:
    """Mark a row as the user marks it in the list; the id comes from the browser and is not trusted."""
    database, session = page.services.database, page.session
    element.on_mark_read(_of_row(page, lambda id: inbox.mark(database, session.identity, id)))
    element.on_mark_unread(_of_row(page, lambda id: inbox.mark_unread(database, session.identity, [id])))


async def mark_all(
    page: PageContext, entity: Entity[Any], *, ids: Collection[UUID] | None = None, chosen: Chosen = EVERYTHING
) -> None:
    """Mark unread messages as read, all by default; says how many there were, and offers to undo it.

    Args:
        page: The page of the user.
        entity: Entity of the messages.
        ids: Messages to mark; all by default.
        chosen: Values by column that the messages must have.
    """
    inbox = INBOXES[entity.table]
    database, session, org_id = page.services.database, page.session, page.membership.org_id
    marked: list[UUID] = []
    try:
        total = await inbox.count_unread(database, session.identity, org_id, ids=ids, chosen=chosen)
    except LivewatchError as error:
        tell_error(str(error))
        return
    operation = BulkOperation(page, entity, doing="Marking as read", done="marked as read", total=total)

    async def mark(progress: Callable[[int], None]) -> None:
        def keep(batch: list[UUID]) -> None:
            marked.extend(batch)
            progress(len(batch))

        await inbox.mark_all(database, session.identity, org_id, ids=ids, chosen=chosen, on_batch=keep)

    is_complete = await operation.run(mark)
    if is_complete or marked:
        offer_undo(operation.message if is_complete else f"{operation.summary}.", partial(_undo, page, entity, marked))


async def _undo(page: PageContext, entity: Entity[Any], marked: list[UUID]) -> None:
    await mark_unread(page, entity, marked, is_quiet=True)


async def mark_unread(page: PageContext, entity: Entity[Any], ids: Collection[UUID], *, is_quiet: bool = False) -> None:
    """Mark messages as unread; says how many there were, unless `is_quiet`, and any failure."""
    inbox = INBOXES[entity.table]
    operation = BulkOperation(page, entity, doing="Marking as unread", done="marked as unread", total=len(ids))

    async def mark(progress: Callable[[int], None]) -> None:
        await inbox.mark_unread(page.services.database, page.session.identity, ids, on_batch=progress)

    if await operation.run(mark) and not is_quiet:
        ui.notify(operation.message, type="positive")


async def mark_alerts(page: PageContext, status: AlertStatus, ids: Collection[UUID]) -> bool:
    """Acknowledge or dismiss alerts, read or not; says how many there were, and offers to undo it exactly."""
    database, session = page.services.database, page.session

    async def mark(on_batch: OnChanged) -> None:
        await set_alert_status(database, session.identity, ids, status, on_batch=on_batch)

    async def restore(marked: list[AlertMark], on_batch: OnRows) -> None:
        await restore_alerts(database, session.identity, marked, since=status, on_batch=on_batch)

    is_complete, count = await run_undoable(
        page, ALERTS, mark, restore, total=len(ids), doing="Marking", done=status.value
    )
    if is_complete and not count:
        ui.notify(f"They are {status.value} already.")
    return is_complete


def _of_row(page: PageContext, act: Callable[[UUID], Awaitable[object]]) -> Callable[[str], Awaitable[None]]:
    async def handle(id: str) -> None:
        try:
            row_id = UUID(id)
        except ValueError:
            return
        await page.act(act(row_id))

    return handle
