"""Offer to undo what was just done."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text

UNDO_SECONDS = 20.0


def offer_undo(message: str, undo: Callable[[], Awaitable[object]]) -> None:
    """Show a message with a button for `UNDO_SECONDS`; must be called in a handler of an element.

    A later message takes the place of an earlier one.
    """
    client = ui.context.client
    for each in [each for each in client.elements.values() if isinstance(each, _Offer)]:
        each.delete()
    with client.content:
        offer = _Offer()

    async def press() -> None:
        offer.delete()
        await undo()

    with offer:
        text("span", message)
        with Element("button").classes("lw-text-button").props("type=button") as button:
            text("span", "Undo")
        button.on("click", press)
        ui.timer(UNDO_SECONDS, offer.delete, once=True)


class _Offer(Element):
    def __init__(self) -> None:
        super().__init__("div")
        self.classes("lw-offer").props("role=status data-testid=offer")
