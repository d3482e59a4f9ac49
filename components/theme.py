"""The look of every page: design tokens, base styles, and the theme that the browser remembers."""

from functools import cache
from pathlib import Path
from typing import Literal

from nicegui import ui
from nicegui.element import Element

ThemeName = Literal["auto", "light", "dark"]
STYLESHEETS = ("theme.css", "live.css", "shell.css", "content.css")


def apply_theme(preset: ThemeName | None = None) -> None:
    """Give the page that is being built the tokens, the styles and the theme; call it once, before the content.

    Without `preset` the browser's own remembered choice holds, "auto" at first: it follows the system.
    """
    # In the head and not in a script, so that the first paint is styled.
    ui.add_head_html(f"<style>{_styles()}</style>")
    Theme(preset)


class Theme(Element, component="theme.js"):
    """The invisible part that switches light and dark and keeps the sidebar's state; used by `apply_theme`."""

    def __init__(self, preset: ThemeName | None = None) -> None:
        super().__init__()
        if preset is not None:
            self.props["preset"] = preset


@cache
def _styles() -> str:
    return "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in STYLESHEETS)
