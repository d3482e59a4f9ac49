"""Marking alerts and notifications as read and unread, one or many, with undo."""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.lists.live_list import LiveList
from components.shell.undo import offer_undo
from pages.page.context import PageContext
from services.entities import Entity
from services.people.inbox import INBOXES, Inbox


def accept_marks(page: PageContext, element: LiveList, inbox: Inbox) -> None:
    """Mark a row as the user marks it in the list; the id comes from the browser and is not trusted."""
    database, session = page.services.database, page.session
    element.on_mark_read(_of_row(page, lambda id: inbox.mark(database, session.identity, id)))
    element.on_mark_unread(_of_row(page, lambda id: inbox.mark_unread(database, session.identity, [id])))


async def mark_all(page: PageContext, entity: Entity[Any], *, ids: Collection[UUID] | None = None) -> None:
    """Mark unread messages as read, all by default; says how many there were, and offers to undo it."""
    inbox = INBOXES[entity.table]
    marked: list[UUID] = []

    async def mark() -> None:
        marked.extend(
            await inbox.mark_all(page.services.database, page.session.identity, page.membership.org_id, ids=ids)
        )

    async def undo() -> None:
        await page.act(inbox.mark_unread(page.services.database, page.session.identity, marked))

    if await page.act(mark()):
        noun = entity.noun if len(marked) == 1 else entity.plural
        offer_undo(f"{len(marked):,} {noun} marked as read.", undo)


async def mark_unread(page: PageContext, entity: Entity[Any], ids: Collection[UUID]) -> None:
    """Mark messages as unread; says how many there were."""
    inbox = INBOXES[entity.table]
    count = 0

    async def mark() -> None:
        nonlocal count
        count = await inbox.mark_unread(page.services.database, page.session.identity, ids)

    if await page.act(mark()):
        ui.notify(f"{count:,} {entity.noun if count == 1 else entity.plural} marked as unread.", type="positive")


def _of_row(page: PageContext, act: Callable[[UUID], Awaitable[object]]) -> Callable[[str], Awaitable[None]]:
    async def handle(id: str) -> None:
        try:
            row_id = UUID(id)
        except ValueError:
            return
        await page.act(act(row_id))

    return handle
