"""/status and /badge: what the link of a status page shows to everybody who has it."""

import hashlib
import re

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from pages.http.auth_middleware import BADGE_BELOW, STATUS_BELOW
from pages.page.browser import client_address
from pages.status.badge import badge, job_badge, status_badge
from pages.status.document import POLICY, message_document, status_document
from services.errors import LivewatchError, TooFast
from services.infra.rate_limiter import network_of
from services.status.reading import Health, PublicStatus, StatusReadings

METHODS = ["GET", "HEAD"]
KEPT_BRIEFLY = "public, max-age=30"
BADGE_PATH = re.compile(r"(?P<token>[^/]+?)(?:/(?P<kind>streams|scans|agents)/(?P<slug>[^/]+))?\.svg")
# Pages of other sites show badges.
BADGE_HEADERS = {"Cross-Origin-Resource-Policy": "cross-origin", "X-Robots-Tag": "noindex"}
PAGE_HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}
NOWHERE = "This link leads nowhere. It may have been replaced, or the page is switched off. Ask who gave it to you."


def status_routes(readings: StatusReadings) -> APIRouter:
    """Return the routes; all below their prefixes ends here, whoever asks."""
    router = APIRouter(include_in_schema=False)

    @router.api_route(f"{STATUS_BELOW}{{token:path}}", methods=METHODS)
    async def read_status(request: Request, token: str) -> Response:
        try:
            status = await _read(readings, request, token)
        except LivewatchError as error:
            code, sentence = _refusal(error)
            headers = {**PAGE_HEADERS, "Cache-Control": "no-store", "Retry-After": "30"}
            return HTMLResponse(message_document("The status is not known", sentence), code, headers)
        headers = {**PAGE_HEADERS, "Cache-Control": KEPT_BRIEFLY}
        if status is None:
            return HTMLResponse(message_document("There is no status page", NOWHERE), 404, headers)
        return HTMLResponse(status_document(status), headers=headers)

    @router.api_route(f"{BADGE_BELOW}{{path:path}}", methods=METHODS)
    async def read_badge(request: Request, path: str) -> Response:
        asked = BADGE_PATH.fullmatch(path)
        try:
            status = await _read(readings, request, asked["token"]) if asked else None
        except LivewatchError as error:
            return _picture(request, badge("status", "unknown", Health.UNKNOWN), _refusal(error)[0])
        if status and asked and asked["kind"]:
            chosen = [each for each in status.jobs if (each.kind, each.slug) == (asked["kind"], asked["slug"])]
            if chosen:
                return _picture(request, job_badge(chosen[0]))
        elif status:
            return _picture(request, status_badge(status))
        return _picture(request, badge("status", "unknown", Health.UNKNOWN), 404)

    return router


async def _read(readings: StatusReadings, request: Request, token: str) -> PublicStatus | None:
    return await readings.read(token, address=network_of(client_address(request)))


def _refusal(error: LivewatchError) -> tuple[int, str]:
    if isinstance(error, TooFast):
        return 429, str(error)
    return 503, "The database does not answer at present. Look again in a minute."


def _picture(request: Request, svg: str, code: int = 200) -> Response:
    tag = f'"{hashlib.sha256(svg.encode()).hexdigest()[:32]}"'
    is_known = code in (200, 404)
    headers = {**BADGE_HEADERS, "Cache-Control": KEPT_BRIEFLY if is_known else "no-store", "ETag": tag}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if code == 200 and tag in known:
        return Response(status_code=304, headers=headers)
    return Response(svg, code, headers, media_type="image/svg+xml")
