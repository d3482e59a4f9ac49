"""Row of the settings page."""

from collections.abc import Iterator
from contextlib import contextmanager

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text


@contextmanager
def setting(label: str, about: str) -> Iterator[Element]:
    """Build a row with a label and a description; elements built inside appear on its right."""
    with ui.element("div").classes("lw-setting"):
        with ui.element("div").classes("lw-setting__about"):
            text("h3", label)
            text("p", about).classes("lw-muted")
        with ui.element("div").classes("lw-setting__control") as control:
            yield control
