"""The look of every page: design tokens, base styles, and the theme that the browser remembers."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.preferences import Density, ThemeName

STYLESHEETS = ("theme.css", "live.css", "shell.css", "content.css", "attention.css", "comfort.css")


def apply_theme(preset: ThemeName | None = None) -> "Theme":
    """Give the page that is being built the tokens, the styles and the theme; call it once, before the content.

    Without `preset` the browser's own remembered choice holds, "auto" at first: it follows the system.
    """
    # In the head and not in a script, so that the first paint is styled.
    ui.add_head_html(f"<style>{_styles()}</style>")
    return Theme(preset)


class Theme(Element, component="theme.js"):
    """The invisible part that switches light and dark and keeps the sidebar's state; used by `apply_theme`."""

    def __init__(self, preset: ThemeName | None = None) -> None:
        super().__init__()
        if preset is not None:
            self.props["preset"] = preset

    def prefer(self, *, theme: ThemeName, density: Density) -> None:
        """Show a theme and a density, and have the browser remember them for pages without a person."""
        self.props["preset"], self.props["density"] = theme, density

    def on_switch(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the name of the theme that a person switched to; it comes from the browser."""

        def switched(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("switch", switched)


@cache
def _styles() -> str:
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in STYLESHEETS)
