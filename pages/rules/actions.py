"""Menu of what may be done to a rule or a channel."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from nicegui import ui

from services.text import visible_name

Load = Callable[[], Awaitable[None]]


@contextmanager
def actions_of(name: str) -> Iterator[None]:
    """Build the button of a menu; items that are built inside are in the menu."""
    button = ui.button(icon="more_horiz").props("flat round").classes("lw-button lw-actions")
    # Not within a text of props, which a name could leave.
    button.props["aria-label"] = f"Actions of {visible_name(name)}"
    with button, ui.menu():
        yield
