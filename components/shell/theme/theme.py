"""Theme of every page: design tokens, base styles, and the light or dark theme that the browser stores."""

import asyncio
import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from fastapi import Response
from nicegui import app, ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.shell.theme.icon_font import font_faces, icon_font, icon_font_name
from services.people.preferences import Density, ThemeName

STYLES_BELOW = "/styles/"
IMMUTABLE_CACHE_CONTROL = "public, max-age=31536000, immutable"
COMPONENTS = Path(__file__).parents[2]
PREFERRED = {"theme": "preset", "density": "density"}
"""Properties of the element by what they set."""
SHELL_STYLES = (
    "shell/first_paint/first_paint.css",
    "shell/theme/theme.css",
    "elements/shared.css",
    "shell/shell.css",
    "shell/theme/content.css",
    "shell/attention/attention.css",
    "shell/theme/preferences.css",
)


def apply_theme(preset: ThemeName | None = None) -> "Theme":
    """Add the styles and the theme to the page that is being built; call it once, before the content.

    Without `preset` the theme is the one stored in the browser, initially "auto", which follows the operating system.
    """
    # A link in the head, not a script, so that the first paint is styled. The icons would be found only through it.
    styles, font = (f"{_prefix()}{path}" for path in (styles_path(), STYLES_BELOW + icon_font_name()))
    ui.add_head_html(f'<link rel="stylesheet" href="{styles}">')
    ui.add_head_html(f'<link rel="preload" as="font" type="font/woff2" href="{font}" crossorigin>')
    return Theme(preset)


def serve_styles() -> None:
    """Register the routes of the styles and the icon font, at hashed paths; call it once, before the first page."""

    @app.get(styles_path(), include_in_schema=False)
    def styles() -> Response:
        return Response(_styles(), media_type="text/css", headers={"Cache-Control": IMMUTABLE_CACHE_CONTROL})

    @app.get(STYLES_BELOW + icon_font_name(), include_in_schema=False)
    async def icons() -> Response:
        font = await asyncio.to_thread(icon_font)
        return Response(font, media_type="font/woff2", headers={"Cache-Control": IMMUTABLE_CACHE_CONTROL})


def inline_styles(prefix: str) -> str:
    """Return the styles for the page itself, whose path says nothing about where the fonts are."""
    return _styles().replace('url("icons-', f'url("{prefix}{STYLES_BELOW}icons-').replace('url("../', f'url("{prefix}/')


@cache
def styles_path() -> str:
    """Return the path of the styles."""
    return f"{STYLES_BELOW}{hashlib.sha256(_styles().encode()).hexdigest()[:16]}.css"


class Theme(Element, component="theme.js"):
    """Invisible element that switches the theme and stores the sidebar's state; created by `apply_theme`."""

    def __init__(self, preset: ThemeName | None = None) -> None:
        super().__init__()
        if preset is not None:
            self.props["preset"] = preset

    def prefer(self, *, theme: ThemeName, density: Density) -> None:
        """Apply a theme and a density; the browser stores them for pages without a user."""
        self.props["preset"], self.props["density"] = theme, density

    @property
    def preferred(self) -> dict[str, str]:
        """The theme and the density that have been applied."""
        return {name: self.props[prop] for name, prop in PREFERRED.items() if prop in self.props}

    def on_switch(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the name of the theme that the user selected; the name is not trusted."""

        def switched(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("switch", switched)


def _prefix() -> str:
    """Return the path prefix that a proxy or an outer app adds."""
    request = ui.context.client.request
    return request.scope.get("root_path", "") if request else ""


@cache
def _styles() -> str:
    """The tokens and the shell's styles, those that stand beside each element, then those of phones and print."""
    paths = [
        *(COMPONENTS / name for name in SHELL_STYLES),
        *sorted(COMPONENTS.glob("elements/*/*.css")),
        COMPONENTS / "shell/theme/media.css",
    ]
    return "\n".join((font_faces(), *(path.read_text(encoding="utf-8") for path in paths)))
