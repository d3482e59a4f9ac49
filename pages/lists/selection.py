"""Bar with what can be done to the rows that the user has chosen in a list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from components.elements.lists.live_list import LiveList
from components.presentation.markup import Markup, Node, button_node, icon_button_node, icon_node, node
from services.entities import Entity

CLEAR = "Clear the selection"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenAction:
    """A button of the bar: its label, its Material icon, and what it does with the ids of the chosen rows."""

    label: str
    icon: str
    act: Callable[[list[UUID]], Awaitable[object]]


def selection_bar(element: LiveList, entity: Entity[Any], actions: Sequence[ChosenAction]) -> None:
    """Give the rows of a list checkboxes, and show a bar with `actions` while any is checked.

    Args:
        element: The list.
        entity: Entity of its rows.
        actions: Actions, in the order of their buttons. The rows are no longer chosen after one.
    """
    chosen: list[UUID] = []
    by_label = {action.label: action for action in actions}
    buttons = tuple(
        button_node(icon_node(each.icon), node("span", each.label), class_="lw-button", data_press=each.label)
        for each in actions
    )
    clear = icon_button_node("close", CLEAR, data_press=CLEAR)

    def tree() -> Node:
        count = node("span", f"{len(chosen):,} selected" if chosen else "", role="status")
        return node(
            "div",
            count,
            *buttons,
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

    async def press(label: str) -> None:
        if action := by_label.get(label):
            await action.act(list(chosen))
        element.clear_chosen()

    bar = Markup(tree())
    bar.on_press(press)
    bar.set_visibility(False)
    element.on_choose(show)
