"""Dialogs that ask before something is done."""

from collections.abc import Callable

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import text


async def confirm(
    question: str, consequence: str, *, action: str, is_critical: bool = True, expected: str = ""
) -> bool:
    """Ask, and return whether the user confirmed.

    Args:
        question: Headline of the dialog.
        consequence: Sentence below it.
        action: Label of the button that confirms.
        is_critical: Whether that cannot be undone, which colours the button.
        expected: Text that must be typed first, such as a name; none by default.
    """
    kind = "critical" if is_critical else "primary"
    with ui.dialog() as dialog, Element("div").classes("lw-dialog").props("data-testid=confirm"):
        text("h2", question)
        text("p", consequence)
        typed = ui.input(f"Type {expected} to confirm").props("outlined dense autocomplete=off") if expected else None
        with Element("div").classes("lw-dialog__actions"):
            ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps").classes("lw-button")
            button = ui.button(action, on_click=lambda: dialog.submit(True)).props("unelevated no-caps")
            button.classes(f"lw-button lw-button--{kind}")
    if typed is not None:
        button.disable()
        typed.on_value_change(lambda event: button.set_enabled((event.value or "").strip() == expected))
    confirmed = bool(await dialog)
    dialog.delete()
    return confirmed


def dialog_buttons(dialog: ui.dialog, label: str, act: Callable[[], object]) -> None:
    """Build the last row of a dialog: a button that closes it, and one with `label` that calls `act`."""
    with ui.element("div").classes("lw-dialog__actions"):
        ui.button("Cancel", on_click=dialog.close).props("flat no-caps").classes("lw-button")
        ui.button(label, on_click=act).props("unelevated no-caps").classes("lw-button lw-button--primary")
