"""Bar with what can be done to the rows that the user has chosen in a list."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from nicegui.element import Element

from components.elements.lists.live_list import LiveList
from components.presentation.text import icon, text
from services.entities import Entity


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

    def show(ids: list[UUID]) -> None:
        chosen[:] = ids
        count.text = f"{len(ids):,} selected"
        bar.set_visibility(bool(ids))

    with Element("div").classes("lw-selection").props("role=toolbar data-testid=selection") as bar:
        bar.props["aria-label"] = f"Selected {entity.plural}"
        count = text("span", "").props("role=status")
        for action in actions:
            with Element("button").classes("lw-button").props("type=button") as button:
                icon(action.icon)
                text("span", action.label)

            async def press(action: ChosenAction = action) -> None:
                await action.act(list(chosen))
                element.clear_chosen()

            button.on("click", press)
        with Element("button").classes("lw-icon-button").props('type=button title="Clear the selection"') as button:
            button.props["aria-label"] = "Clear the selection"
            icon("close")
        button.on("click", element.clear_chosen)
    bar.set_visibility(False)
    element.on_choose(show)
