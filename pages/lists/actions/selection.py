"""Bar with what can be done to the rows that the user has chosen in a list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.lists.live_list import LiveList
from components.presentation.markup import (
    Markup,
    Node,
    button_node,
    icon_button_node,
    icon_node,
    menu_item_node,
    node,
    slot,
)
from components.shell.feedback import tell_error
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.entities import Entity

CLEAR = "Clear the selection"
EXPORT_ICONS = {"csv": "download", "json": "data_object"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAction:
    """A button of the bar: its label, its Material icon, and what it does with the ids of the chosen rows.

    `act` returns False where the rows shall stay chosen, for instance because the user cancelled. A pressed `key` does
    the same while the list has the focus; `#` is also the key Delete. An action that `is_more` is in the menu at the
    end of the bar.
    """

    label: str
    icon: str
    act: Callable[[list[UUID]], Awaitable[object]]
    key: str = ""
    is_more: bool = False


def selection_bar(element: LiveList, entity: Entity[Any], actions: Sequence[ChosenAction]) -> None:
    """Give the rows of a list checkboxes, and show a bar with `actions` while any is checked.

    Args:
        element: The list.
        entity: Entity of its rows.
        actions: Actions, in the order of their buttons.
    """
    chosen: list[UUID] = []
    by_label = {action.label: action for action in actions}
    by_key = {action.key: action for action in actions if action.key}
    buttons = tuple(_button(action) for action in actions if not action.is_more)
    more = tuple(menu_item_node(action.icon, action.label, press=action.label) for action in actions if action.is_more)
    clear = icon_button_node("close", f"{CLEAR} (Esc)", data_press=CLEAR)

    def tree() -> Node:
        count = node("span", f"{len(chosen):,} selected" if chosen else "", role="status", class_="lw-number")
        return node(
            "div",
            count,
            *buttons,
            *((slot("more"),) if more else ()),
            clear,
            class_="lw-selection",
            role="toolbar",
            data_testid="selection",
            aria_label=f"Selected {entity.plural}",
        )

    def show(ids: list[UUID]) -> None:
        chosen[:] = ids
        bar.show(tree())
        bar.set_visibility(bool(ids))

    is_acting = False

    async def act(action: ChosenAction) -> None:
        # A key or button that is pressed twice acts once, although the browser does not know of the first time yet.
        nonlocal is_acting
        if is_acting or not chosen:
            return
        is_acting = True
        try:
            if await action.act(list(chosen)) is not False:
                chosen.clear()
                element.clear_chosen()
        finally:
            is_acting = False

    async def press(label: str) -> None:
        if action := by_label.get(label):
            await act(action)
        elif label == CLEAR:
            element.clear_chosen()

    async def press_key(key: str) -> None:
        await act(by_key[key])

    bar = Markup(tree())
    bar.on_press(press)
    bar.on("keydown.esc", element.clear_chosen)
    if more:
        with bar.add_slot("more"):
            _menu(more, press)
    bar.set_visibility(False)
    element.on_choose(show)
    element.on_action_key(by_key.keys(), press_key)
    element.on_export_failed(tell_error)


def export_actions(page: PageContext, entity: Entity[Any], element: LiveList) -> list[ChosenAction]:
    """Return the actions that download the chosen rows, which stay chosen."""

    def exporting(kind: str) -> ChosenAction:
        async def export(ids: list[UUID]) -> bool:
            element.export_chosen(f"/export/{entity.table}.{kind}?{ORG_PARAMETER}={page.membership.org_id}")
            return False

        return ChosenAction(label=f"Export as {kind.upper()}", icon=EXPORT_ICONS[kind], act=export, is_more=True)

    return [exporting(kind) for kind in EXPORT_ICONS]


def _button(action: ChosenAction) -> Node:
    """Build a button whose label a narrow window leaves out."""
    return button_node(
        icon_node(action.icon),
        node("span", action.label),
        class_="lw-button",
        data_press=action.label,
        aria_label=action.label,
        title=f"{action.label} ({action.key})" if action.key else action.label,
    )


def _menu(entries: Sequence[Node], press: Callable[[str], Awaitable[None]]) -> None:
    with Markup(
        button_node(
            icon_node("more_vert"),
            slot(),
            class_="lw-icon-button",
            aria_haspopup="menu",
            title="More actions",
            aria_label="More actions on the selection",
            data_testid="selection-more",
        )
    ):
        menu = ui.menu().props('anchor="top right" self="bottom right" :offset="[0, 6]"').classes("lw-menu")
    with menu:
        items = Markup(node("div", *entries))

    async def choose(label: str) -> None:
        menu.close()
        await press(label)

    items.on_press(choose)
