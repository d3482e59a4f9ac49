"""/artefacts/{id}: an artefact for members, never with a script that runs."""

import re
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from pages.http.auth_middleware import session_of
from pages.page.services import Services
from services.errors import LivewatchError
from services.results.artefacts import IMAGES, read_artefact
from services.text import uuid_of

INLINE = {*IMAGES.values(), "image/webp"}
"""Types that a browser shows; all others are downloads, SVG among them."""
POLICY = "sandbox; default-src 'none'"
_UNSAFE = re.compile(r"[^\w.\- ]+")


def artefact_file_routes(services: Services) -> APIRouter:
    """Return the route; with `inline`, an image is shown and not downloaded."""
    router = APIRouter(include_in_schema=False)

    @router.get("/artefacts/{id}")
    async def artefact(request: Request, id: str) -> Response:
        session, artefact_id = session_of(request), uuid_of(id)
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=404)
        try:
            found = artefact_id and await read_artefact(
                services.database, services.files, session.identity, artefact_id
            )
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        if not found:
            return PlainTextResponse("There is no such artefact, or you may not see it.", status_code=404)
        is_inline = "inline" in request.query_params and found.media_type in INLINE
        headers = {
            "Content-Security-Policy": POLICY,
            "X-Content-Type-Options": "nosniff",
            "Content-Disposition": disposition("inline" if is_inline else "attachment", found.name),
            "Cache-Control": "private, max-age=3600" if is_inline else "no-store",
        }
        media_type = found.media_type if is_inline else "application/octet-stream"
        return Response(found.content, media_type=media_type, headers=headers)

    return router


def disposition(kind: str, name: str) -> str:
    """Return the header for a name of any characters: its last part, with what no file system trips over."""
    last = name.replace("\\", "/").rpartition("/")[2]
    safe = _UNSAFE.sub("_", last).strip(". ")[:150] or "artefact"
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(safe)}"
