"""The script by which a window waits for its server and reloads only once that answers; see reconnect.js."""

import hashlib
from functools import cache
from pathlib import Path

from fastapi import Response
from nicegui import app, ui

from components.shell.theme.theme import IMMUTABLE_CACHE_CONTROL


def serve_reconnect() -> None:
    """Register the route of the script, whose path contains a content hash; call it once, before the first page."""

    @app.get(_path(), include_in_schema=False)
    def script() -> Response:
        return Response(_script(), media_type="text/javascript", headers={"Cache-Control": IMMUTABLE_CACHE_CONTROL})


def guard_reloads() -> None:
    """Add the script to the page that is being built; every page needs it, since each has a socket."""
    prefix = ui.context.client.request.scope.get("root_path", "")
    # In the body NiceGUI's client comes before it, and NiceGUI's app after it.
    ui.add_body_html(f'<script defer src="{prefix}{_path()}"></script>')


@cache
def _script() -> bytes:
    return Path(__file__).with_suffix(".js").read_bytes()


@cache
def _path() -> str:
    # Below NiceGUI's own path, which is open to everybody and not logged, like the scripts there.
    return f"/_nicegui/reconnect-{hashlib.sha256(_script()).hexdigest()[:16]}.js"
