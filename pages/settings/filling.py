"""Places of a settings page that are filled with what is read, again after each change."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from nicegui import ui

from components.presentation.text import text
from services.errors import LivewatchError

T = TypeVar("T")


async def fill(place: ui.element, work: Awaitable[T], build: Callable[[T], None], *, what: str) -> None:
    """Build anew in a place what `work` returns, or say that it cannot be shown.

    Args:
        place: The element whose content is replaced, once it is read.
        work: Reads it.
        build: Builds elements, within the place.
        what: What it is, in the plural, such as "rules".
    """
    try:
        found = await work
    except LivewatchError as error:
        place.clear()
        with place:
            text("p", f"The {what} cannot be shown: {error}").classes("lw-critical")
        return
    place.clear()
    with place:
        build(found)
