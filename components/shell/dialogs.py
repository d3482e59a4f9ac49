"""Dialogs that ask before something is done."""

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
