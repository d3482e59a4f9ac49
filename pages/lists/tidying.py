"""Menu that closes, archives and deletes runs: one, or all that a list shows."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import UUID

from nicegui import ui

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
from pages.lists.bulk import BulkOperation, amount_of
from pages.page.context import PageContext
from services.entities import Entity
from services.errors import LivewatchError
from services.history.tidying import archive_runs, close_runs, delete_runs

Ids = Callable[[], Collection[UUID] | Awaitable[Collection[UUID]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One entry of the menu.

    Args:
        label: Label of the entry and of the button that confirms it.
        icon: Name of a Material icon.
        doing: What is being done, while it lasts.
        done: Past participle, for the message after it.
        warning: What the user should know before; asked for confirmation.
        act: Function of `services.history.tidying`.
    """

    label: str
    icon: str
    doing: str
    done: str
    warning: str
    act: Callable[..., Awaitable[int]]


CLOSE = Action(
    label="Close",
    icon="stop_circle",
    doing="Closing",
    done="closed",
    warning="What is still in progress ends as cancelled. Its program is not stopped.",
    act=close_runs,
)
ARCHIVE = Action(
    label="Archive",
    icon="inventory_2",
    doing="Archiving",
    done="archived",
    warning="It stays under the filter Archived.",
    act=archive_runs,
)
DELETE = Action(
    label="Delete",
    icon="delete",
    doing="Deleting",
    done="deleted",
    warning="Everything that belongs to it is deleted, too. This cannot be undone.",
    act=delete_runs,
)
ACTIONS = (CLOSE, ARCHIVE, DELETE)
BY_LABEL = {action.label: action for action in ACTIONS}
CHOOSE = "choose"


def tidy_menu(
    page: PageContext,
    entity: Entity[Any],
    ids: Ids,
    *,
    on_gone: Callable[[], object] | None = None,
    on_choose: Callable[[], object] | None = None,
) -> None:
    """Build the button that opens the menu; users who may not write see none.

    Args:
        page: The page that is being built.
        entity: Entity of the runs.
        ids: Returns the runs, when an entry is chosen.
        on_gone: Called after the runs were deleted.
        on_choose: Called when the user wants to choose among the runs; there is no such entry by default.
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
        entries = Markup(_entries(offers_choice=on_choose is not None))

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
                await tidy(page, entity, action, list(chosen), on_gone)

    entries.on_press(choose)


@cache
def _entries(*, offers_choice: bool) -> Node:
    actions = (menu_item_node(action.icon, f"{action.label} …", press=action.label) for action in ACTIONS)
    choice = (menu_item_node("checklist", "Select …", press=CHOOSE),) if offers_choice else ()
    return node("div", *actions, *choice)


async def tidy(
    page: PageContext,
    entity: Entity[Any],
    action: Action,
    ids: list[UUID],
    on_gone: Callable[[], object] | None = None,
) -> None:
    """Apply an action to runs, once the user has confirmed it."""
    if not ids:
        ui.notify(f"There are no {entity.plural} here.")
        return
    amount = amount_of(entity, len(ids))
    question = f"{action.label} {amount}?"
    if await confirm(question, action.warning, action=action.label, is_critical=action is DELETE):
        await _apply(page, entity, action, ids, on_gone)


async def _apply(
    page: PageContext, entity: Entity[Any], action: Action, ids: list[UUID], on_gone: Callable[[], object] | None
) -> None:
    database, session = page.services.database, page.session
    operation = BulkOperation(page, entity, doing=action.doing, done=action.done, total=len(ids))

    async def act(progress: Callable[[int], None]) -> None:
        await action.act(database, session.identity, entity, ids, on_batch=progress)

    async def restore() -> None:
        undo = BulkOperation(page, entity, doing="Restoring", done="restored", total=len(ids))

        async def unarchive(progress: Callable[[int], None]) -> None:
            await archive_runs(database, session.identity, entity, ids, is_archived=False, on_batch=progress)

        await undo.run(unarchive)

    is_complete = await operation.run(act)
    if action is ARCHIVE and operation.count:
        offer_undo(operation.message if is_complete else f"{operation.summary}.", restore)
    elif is_complete:
        ui.notify(operation.message, type="positive")
    if is_complete and action is DELETE and on_gone:
        on_gone()
