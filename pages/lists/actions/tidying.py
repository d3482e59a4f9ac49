"""Menu that closes, archives and deletes runs: one, or all that a list shows."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.lists.live_list import LiveList
from components.presentation.markup import (
    Markup,
    Node,
    button_node,
    icon_node,
    menu_item_node,
    menu_of_button,
    node,
    slot,
)
from components.shell.dialogs import confirm
from components.shell.feedback import tell_error
from components.shell.undo import offer_undo
from pages.lists.actions.bulk import BulkOperation, OnChanged, OnRows, amount_of, run_undoable
from pages.page.context import PageContext
from services.entities import Entity
from services.errors import LivewatchError
from services.history.deletions import UNDO_SECONDS, PendingDeletion
from services.history.tidying import archive_runs, close_runs

Ids = Callable[[], Collection[UUID] | Awaitable[Collection[UUID]]]
OnGone = Callable[[], object] | None
MAX_UNASKED = 50
"""Rows that are archived or deleted without a question, since it can be undone; of more people easily lose track."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One entry of the menu.

    Args:
        label: Label of the entry and of the button that confirms it.
        icon: Name of a Material icon.
        warning: What the user should know before; asked for confirmation.
        key: Key that does it to the chosen rows of a list.
        can_undo: Whether it can be undone, and needs no question for a few rows.
    """

    label: str
    icon: str
    warning: str
    key: str = ""
    can_undo: bool = True


CLOSE = Action(
    label="Close",
    icon="stop_circle",
    warning="What is still in progress ends as cancelled. Its program is not stopped.",
    can_undo=False,
)
ARCHIVE = Action(label="Archive", icon="inventory_2", warning="It stays under the filter Archived.", key="e")
DELETE = Action(
    label="Delete",
    icon="delete",
    warning=f"Everything that belongs to it is deleted, too. You have {UNDO_SECONDS:.0f} seconds to undo it.",
    key="#",
)
ACTIONS = (CLOSE, ARCHIVE, DELETE)
BY_LABEL = {action.label: action for action in ACTIONS}
CHOOSE = "choose"


def tidy_menu(
    page: PageContext,
    entity: Entity[Any],
    ids: Ids,
    *,
    on_gone: OnGone = None,
    on_choose: Callable[[], object] | None = None,
) -> None:
    """Build the button that opens the menu; users who may not write see none.

    Args:
        page: The page that is being built.
        entity: Entity of the runs.
        ids: Returns the runs, when an entry is chosen.
        on_gone: Called once the runs are going to be deleted.
        on_choose: Called when the user wants to choose among the runs; there is no such entry by default. Such a menu
            always asks before it acts, since it acts on more than the user may think of.
    """
    if not page.membership.may_write:
        return
    label = f"Actions on {entity.plural}"
    with Markup(
        button_node(
            icon_node("more_vert"),
            slot(),
            class_="lw-icon-button",
            aria_haspopup="menu",
            title="Actions",
            aria_label=label,
            data_testid="tidy",
        )
    ):
        menu = menu_of_button()
    with menu:
        entries = Markup(_entries(is_of_list=on_choose is not None))

    async def choose(label: str) -> None:
        menu.close()
        if on_choose and label == CHOOSE:
            on_choose()
        elif action := BY_LABEL.get(label):
            try:
                found = ids()
                chosen = await found if isinstance(found, Awaitable) else found
            except LivewatchError as error:
                tell_error(str(error))
            else:
                await tidy(page, entity, action, list(chosen), on_gone, always_asks=on_choose is not None)

    entries.on_press(choose)


@cache
def _entries(*, is_of_list: bool) -> Node:
    def label(action: Action) -> str:
        return f"{action.label} …" if is_of_list or not action.can_undo else action.label

    actions = (menu_item_node(action.icon, label(action), press=action.label) for action in ACTIONS)
    choice = (menu_item_node("checklist", "Select …", press=CHOOSE),) if is_of_list else ()
    return node("div", *actions, *choice)


async def tidy(
    page: PageContext,
    entity: Entity[Any],
    action: Action,
    ids: list[UUID],
    on_gone: OnGone = None,
    *,
    element: LiveList | None = None,
    always_asks: bool = False,
) -> bool:
    """Apply an action to runs, once the user has confirmed it where that is needed; returns whether it was applied.

    More than `MAX_UNASKED` runs, and what cannot be undone, are asked about; everything with `always_asks`. The rows of
    `element` fade while their deletion waits.
    """
    if not ids:
        ui.notify(f"There are no {entity.plural} here.")
        return False
    asks = always_asks or not action.can_undo or len(ids) > MAX_UNASKED
    question = f"{action.label} {amount_of(entity, len(ids))}?"
    if asks and not await confirm(question, action.warning, action=action.label, is_critical=action is DELETE):
        return False
    if action is DELETE:
        return await _delete(page, entity, ids, on_gone, element)
    return await (_close if action is CLOSE else _archive)(page, entity, ids)


async def _close(page: PageContext, entity: Entity[Any], ids: list[UUID]) -> bool:
    operation = BulkOperation(page, entity, doing="Closing", done="closed", total=len(ids))

    async def close(progress: OnRows) -> None:
        await close_runs(page.services.database, page.session.identity, entity, ids, on_batch=progress)

    if is_complete := await operation.run(close):
        ui.notify(operation.message, type="positive")
    return is_complete


async def _archive(page: PageContext, entity: Entity[Any], ids: list[UUID]) -> bool:
    database, session = page.services.database, page.session

    async def archive(on_batch: OnChanged) -> None:
        await archive_runs(database, session.identity, entity, ids, on_batch=on_batch)

    async def restore(archived: list[UUID], on_batch: OnRows) -> None:
        await archive_runs(database, session.identity, entity, archived, is_archived=False, on_batch=on_batch)

    is_complete, _ = await run_undoable(
        page, entity, archive, restore, total=len(ids), doing="Archiving", done="archived"
    )
    return is_complete


async def _delete(
    page: PageContext, entity: Entity[Any], ids: list[UUID], on_gone: OnGone, element: LiveList | None
) -> bool:
    """Order the deletion, which the server carries out later, whatever happens to this window."""
    deletions, session = page.services.deletions, page.session
    pending: PendingDeletion | None = await page.get(
        deletions.defer(session.identity, entity, page.membership.org_id, ids)
    )
    if pending is None:
        return False

    amount = amount_of(entity, pending.count)

    def fade(*, is_leaving: bool) -> None:
        if element and not element.is_deleted:
            element.set_leaving(ids, is_leaving=is_leaving)

    def offer() -> None:
        offer_undo(f"{amount} will be deleted", undo, seconds=UNDO_SECONDS)

    async def undo() -> None:
        is_kept = await page.get(deletions.cancel(session.identity, pending.id))
        if is_kept is None:  # the database did not answer; the deletion still waits, or is told to be done
            offer()
        elif is_kept:
            fade(is_leaving=False)
            ui.notify(f"{amount} kept.", type="positive")
        else:
            tell_error(f"Too late to undo: {amount} deleted.")

    fade(is_leaving=True)
    offer()
    if on_gone:
        on_gone()
    return True
