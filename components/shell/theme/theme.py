"""The look of every page: design tokens, base styles, and the theme that the browser remembers."""

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import Response
from nicegui import app, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from services.people.preferences import Density, ThemeName

STYLES_BELOW = "/styles/"
FOR_EVER = "public, max-age=31536000, immutable"
COMPONENTS = Path(__file__).parents[2]
SHELL_STYLES = (
    "shell/theme/theme.css",
    "elements/shared.css",
    "shell/shell.css",
    "shell/theme/content.css",
    "shell/attention/attention.css",
    "shell/theme/preferences.css",
)


def apply_theme(preset: ThemeName | None = None) -> "Theme":
    """Give the page that is being built the tokens, the styles and the theme; call it once, before the content.

    Without `preset` the browser's own remembered choice holds, "auto" at first: it follows the system.
    """
    # In the head and not in a script, so that the first paint is styled.
    ui.add_head_html(f'<link rel="stylesheet" href="{_prefix()}{styles_path()}">')
    return Theme(preset)


def serve_styles() -> None:
    """Serve the styles; call it once, before the first page. Their address changes with them, so browsers keep them."""

    @app.get(styles_path(), include_in_schema=False)
    def styles() -> Response:
        return Response(_styles(), media_type="text/css", headers={"Cache-Control": FOR_EVER})


@cache
def styles_path() -> str:
    """Where the styles are served."""
    return f"{STYLES_BELOW}{hashlib.sha256(_styles().encode()).hexdigest()[:16]}.css"


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


def _prefix() -> str:
    """What a proxy or an outer app puts before every path."""
    request = ui.context.client.request
    return request.scope.get("root_path", "") if request else ""


@cache
def _styles() -> str:
    """The tokens and the shell's styles, then those that stand beside each element."""
    paths = [*(COMPONENTS / name for name in SHELL_STYLES), *sorted(COMPONENTS.glob("elements/*/*.css"))]
    return "\n".join(path.read_text(encoding="utf-8") for path in paths)
