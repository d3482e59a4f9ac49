"""/pwa: the manifest, the icons, the page without a connection and the service worker; nothing of a person."""

import hashlib
import re
from base64 import b64encode
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from components.shell.theme.theme import IMMUTABLE_CACHE_CONTROL
from pages.http.auth_middleware import PWA_BELOW
from pages.installation.head import THEME_COLOURS, register_path, register_script
from pages.page.public_url import root_of

FOLDER = Path(__file__).parent
ICONS = {path.name: path for path in (FOLDER / "icons").glob("*.png")}
ALWAYS_ASKED = "no-cache"
SHELL_HEADER = "Livewatch-Shell"
WORKER_POLICY = "default-src 'none'; connect-src 'self'"
OFFLINE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def installation_routes() -> APIRouter:
    """Return the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get(f"{PWA_BELOW}manifest.webmanifest")
    async def read_manifest(request: Request) -> Response:
        return JSONResponse(
            manifest(root_of(request)),
            media_type="application/manifest+json",
            headers={"Cache-Control": ALWAYS_ASKED},
        )

    @router.get(f"{PWA_BELOW}worker.js")
    async def worker(request: Request) -> Response:
        root = root_of(request)
        headers = {
            "Cache-Control": ALWAYS_ASKED,
            "Content-Security-Policy": WORKER_POLICY,
            "Service-Worker-Allowed": f"{root}/",
        }
        return Response(_worker(root), media_type="text/javascript", headers=headers)

    @router.get(f"{PWA_BELOW}offline")
    async def offline(request: Request) -> Response:
        page = _offline(root_of(request))
        script = SCRIPT.search(page)
        assert script
        digest = b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
        headers = {
            "Cache-Control": ALWAYS_ASKED,
            "Content-Security-Policy": OFFLINE_POLICY.format(script=digest),
            SHELL_HEADER: _shell(root_of(request)),
        }
        return Response(page, media_type="text/html", headers=headers)

    @router.get(f"{PWA_BELOW}icons/{{name}}")
    async def icon(name: str) -> Response:
        if name not in ICONS:
            return PlainTextResponse("There is no such icon.", status_code=404)
        return Response(_icon(name), media_type="image/png", headers={"Cache-Control": "public, max-age=86400"})

    @router.get(register_path())
    async def register() -> Response:
        headers = {"Cache-Control": IMMUTABLE_CACHE_CONTROL}
        return Response(register_script(), media_type="text/javascript", headers=headers)

    return router


def manifest(root: str) -> dict[str, Any]:
    """Return the web app manifest, https://www.w3.org/TR/appmanifest, of an app below `root`."""

    def icon(name: str, size: int, purpose: str) -> dict[str, str]:
        src = f"{root}{PWA_BELOW}icons/{name}.png"
        return {"src": src, "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}

    def shortcut(name: str, path: str) -> dict[str, Any]:
        return {"name": name, "url": f"{root}{path}", "icons": [icon("icon-192", 192, "any")]}

    return {
        "id": f"{root}/",
        "name": "Livewatch",
        "short_name": "Livewatch",
        "description": "Watch long-running work live.",
        "start_url": f"{root}/",
        "scope": f"{root}/",
        "display": "standalone",
        "lang": "en-GB",
        "background_color": THEME_COLOURS["light"],
        "theme_color": THEME_COLOURS["light"],
        "icons": [
            icon("icon-192", 192, "any"),
            icon("icon-512", 512, "any"),
            icon("maskable-512", 512, "maskable"),
        ],
        "shortcuts": [
            shortcut("Live Monitoring", "/monitoring"),
            shortcut("Alerts", "/alerts?show=unread"),
            shortcut("Notifications", "/notifications?show=unread"),
            shortcut("Chat", "/chat"),
        ],
        # A text or a link becomes the draft of a message, which is sent by a click only.
        "share_target": {
            "action": f"{root}/chat",
            "method": "GET",
            "enctype": "application/x-www-form-urlencoded",
            "params": {"title": "share_title", "text": "share_text", "url": "share_url"},
        },
        # A link into the app opens the window that is there.
        "launch_handler": {"client_mode": ["navigate-existing", "auto"]},
        "handle_links": "preferred",
    }


@cache
def _offline(root: str) -> str:
    page = (FOLDER / "offline.html").read_text(encoding="utf-8")
    return page.replace('<html lang="en-GB">', f'<html lang="en-GB" data-health="{root}/healthz">')


@cache
def _worker(root: str) -> str:
    # Browsers install a worker again when a byte of it differs, and with it the page that it keeps.
    return (FOLDER / "worker.js").read_text(encoding="utf-8").replace("@shell@", _shell(root))


def _shell(root: str) -> str:
    return hashlib.sha256(_offline(root).encode()).hexdigest()[:16]


@cache
def _icon(name: str) -> bytes:
    return ICONS[name].read_bytes()
