"""Offer to undo what was just done."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text

UNDO_SECONDS = 20.0
MAX_OFFERS = 3


def offer_undo(message: str, undo: Callable[[], Awaitable[object]], *, seconds: float = UNDO_SECONDS) -> None:
    """Show a message with a button for a time; must be called in a handler of an element.

    Earlier messages stay above it for their time, the latest `MAX_OFFERS` of them.
    """
    client = ui.context.client
    offers = next((each for each in client.elements.values() if isinstance(each, _Offers)), None)
    if offers is None:
        with client.content:
            offers = _Offers()
    for earliest in list(offers)[: 1 - MAX_OFFERS]:
        earliest.delete()
    with offers:
        offer = Element("div").classes("lw-offer").props("role=status data-testid=offer")

    async def press() -> None:
        offer.delete()
        with client.content:
            await undo()

    with offer:
        text("span", message)
        with Element("button").classes("lw-text-button").props('type=button title="Undo (z)"') as button:
            text("span", "Undo")
        button.on("click", press)
        ui.timer(seconds, offer.delete, once=True)


class _Offers(Element):
    def __init__(self) -> None:
        super().__init__("div")
        self.classes("lw-offers")
