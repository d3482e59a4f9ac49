"""What the head of a page says of the installed app, and the script that registers its service worker."""

import hashlib
from functools import cache
from html import escape
from pathlib import Path

from nicegui import ui

from pages.http.auth_middleware import PWA_BELOW
from services.auth.identity import Identity

THEME_COLOURS = {"light": "#fafafa", "dark": "#111113"}


def offer_installation(identity: Identity | None = None) -> None:
    """Add it to the page that is being built; without an identity the worker drops what it shows of a person."""
    root = ui.context.client.request.scope.get("root_path", "")
    links = [
        f'<link rel="manifest" href="{root}{PWA_BELOW}manifest.webmanifest">',
        f'<link rel="apple-touch-icon" href="{root}{PWA_BELOW}icons/touch-180.png">',
        '<meta name="apple-mobile-web-app-title" content="Livewatch">',
        *(
            f'<meta name="theme-color" media="(prefers-color-scheme: {theme})" content="{colour}">'
            for theme, colour in THEME_COLOURS.items()
        ),
    ]
    ui.add_head_html("".join(links))
    who = ""
    if identity:
        session = hashlib.sha256(identity.session_id.encode()).hexdigest()[:16]
        who = f' data-user="{escape(str(identity.user_id))}" data-session="{session}"'
    ui.add_body_html(f'<script defer src="{root}{register_path()}" data-root="{root}"{who}></script>')


@cache
def register_script() -> bytes:
    """Return the script that registers the worker."""
    return (Path(__file__).parent / "register.js").read_bytes()


@cache
def register_path() -> str:
    """Return its path, which contains a hash of it."""
    return f"{PWA_BELOW}register-{hashlib.sha256(register_script()).hexdigest()[:16]}.js"
