"""Forwards browsers to the two addresses of the local Auth that they visit during single sign-on, and to no other."""

import httpx
import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from pages.page.browser import client_address
from pages.page.services import Services
from pages.session.sso_errors import refused
from services.infra.rate_limiter import Rate, RateLimiter, network_of

logger = structlog.get_logger(__name__)

FORWARDED = ("/auth/v1/authorize", "/auth/v1/callback")
MAX_URL_BYTES = 16 * 1024


def auth_forward_routes(services: Services) -> APIRouter:
    """Return the routes; 404 where browsers reach the Auth server themselves, as that of a hosted project."""
    router = APIRouter(include_in_schema=False)
    by_network: RateLimiter[str] = RateLimiter(Rate(per_second=5, burst=400))

    async def forward(request: Request) -> Response:
        server = services.sign_on.options.forward_to if services.sign_on else ""
        if not server:
            return PlainTextResponse("There is nothing at this address.", status_code=404)
        if by_network.acquire(network_of(client_address(request))):
            return refused(request, "slow")
        path = request.url.path.rpartition("/")[2]
        url = f"{server}/{path}?{request.scope['query_string'].decode('latin-1')}"
        if len(url) > MAX_URL_BYTES:
            return refused(request, "sso-failed")
        agent = request.headers.get("user-agent", "")
        try:
            answer = await services.auth.http.get(url, headers={"User-Agent": agent}, follow_redirects=False)
        except (httpx.HTTPError, httpx.InvalidURL):
            return refused(request, "unavailable")
        if not answer.is_redirect:
            logger.warning("Auth refused a browser", path=path, status=answer.status_code, cause=answer.text[:200])
            return refused(request, "sso-failed")
        headers = {"Location": answer.headers["location"], "Cache-Control": "no-store"}
        return Response(status_code=answer.status_code, headers=headers)

    for path in FORWARDED:
        router.get(path)(forward)
    return router
