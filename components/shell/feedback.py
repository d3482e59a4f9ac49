"""Errors, and panels in place of content: empty, not found, no permission, failed, loading."""

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import icon, text

ERROR_SECONDS = 20


def tell_error(message: str) -> None:
    """Show an error until it is dismissed, or long enough to be read."""
    ui.notify(message, type="negative", timeout=ERROR_SECONDS * 1000, close_button="Dismiss", multi_line=True)


def empty_state(icon_name: str, sentence: str) -> Element:
    """Build an empty state with an icon and a sentence; elements built `with` it are placed below."""
    with Element("div").classes("lw-empty") as state:
        icon(icon_name)
        text("p", sentence)
    return state


def not_found_panel(title: str, message: str = "There is no page at this address.") -> Element:
    """Build a panel for a page or row that does not exist, or is not visible to the user."""
    with _panel("search_off", title, message) as panel:
        ui.link("To the dashboard", "/").classes("lw-button lw-button--link")
    return panel


def no_permission_panel(title: str, message: str) -> Element:
    """Build a panel for a page that the user may not see."""
    with _panel("lock", title, message) as panel:
        ui.link("To your organisation", "/").classes("lw-button lw-button--link")
    return panel


def left_panel(title: str, message: str) -> Element:
    """Build a page of its own for a user who lost access; elements built `with` it are placed below."""
    with Element("div").classes("lw-lonely"), _panel("group_remove", title, message) as panel:
        panel.props["role"] = "alert"
    return panel


def error_panel(title: str, message: str, *, retry_after: float | None = None) -> Element:
    """Build a panel for a failure; with `retry_after` the page reloads automatically after that many seconds."""
    with _panel("error_outline", title, message) as panel:
        panel.props["role"] = "alert"
        with Element("button").classes("lw-button lw-button--link").props("type=button") as button:
            button.on("click", js_handler="() => (window.reloadWhenReachable ?? (() => location.reload()))()")
            text("span", "Try again")
        if retry_after is not None:
            text("p", f"This page retries every {retry_after:g} seconds.").classes("lw-muted")
            # A timer of the browser also fires if the server that built this page has stopped.
            ui.run_javascript(f"setTimeout(reloadWhenReachable, {retry_after * 1000:.0f})")
    return panel


def skeleton_lines(count: int = 3) -> Element:
    """Build placeholder lines for a text that is loading."""
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
