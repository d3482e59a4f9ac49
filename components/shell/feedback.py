"""What stands where content cannot: nothing yet, not found, failed, still loading."""

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import icon, text


def empty_state(icon_name: str, sentence: str) -> Element:
    """Nothing is there: an icon and one sentence that says what to do. Build a button `with` it if there is one."""
    with Element("div").classes("lw-empty") as state:
        icon(icon_name)
        text("p", sentence)
    return state


def not_found_panel(title: str, message: str = "There is no page at this address.") -> Element:
    """What was asked for does not exist, or not for this person."""
    with _panel("search_off", title, message) as panel:
        ui.link("To the dashboard", "/").classes("lw-button lw-button--link")
    return panel


def no_permission_panel(title: str, message: str) -> Element:
    """What was asked for is of others."""
    with _panel("lock", title, message) as panel:
        ui.link("To what is yours", "/").classes("lw-button lw-button--link")
    return panel


def error_panel(title: str, message: str, *, retry_after: float | None = None) -> Element:
    """Something failed; with `retry_after` the page loads again by itself after so many seconds."""
    with _panel("error_outline", title, message) as panel:
        panel.props["role"] = "alert"
        with Element("button").classes("lw-button lw-button--link").props("type=button") as button:
            button.on("click", js_handler="() => location.reload()")
            text("span", "Try again")
        if retry_after is not None:
            text("p", f"This page tries again every {retry_after:g} seconds.").classes("lw-muted")
            # The browser's own timer: it also fires when the server that built this page is gone.
            ui.run_javascript(f"setTimeout(() => location.reload(), {retry_after * 1000:.0f})")
    return panel


def skeleton_lines(count: int = 3) -> Element:
    """Lines that stand for a text that is being loaded."""
    with Element("div").classes("lw-ghost").props("aria-hidden=true") as ghost:
        for _ in range(count):
            Element("i")
    return ghost


def _panel(icon_name: str, title: str, message: str) -> Element:
    with Element("section").classes("lw-panel lw-panel--centred") as panel:
        icon(icon_name)
        text("h1", title)
        text("p", message)
    return panel
