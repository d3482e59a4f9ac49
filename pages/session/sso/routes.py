"""Routes of single sign-on: begin, and come back."""

from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from pages.http.auth_middleware import local_path, session_of
from pages.page.browser import browser_of, client_address
from pages.page.public_url import public_url, root_of
from pages.page.services import Services
from pages.session.routes import open_session, opened_by
from pages.session.sso.flows import SignOnFlow, SignOnFlows
from pages.session.sso_errors import reason_of, refused, sign_detail
from services.auth.client import Tokens
from services.auth.single_sign_on import CALLBACK, SingleSignOn
from services.errors import AuthError, AuthUnavailable, LivewatchError, SessionTooLarge, SignOnRefused, TooManyAttempts
from services.infra.rate_limiter import Rate, RateLimiter, network_of

logger = structlog.get_logger(__name__)

MAX_TARGET_CHARACTERS = 1000
MAX_CODE_CHARACTERS = 1000


def sign_on_routes(services: Services) -> APIRouter:
    """Return the routes of single sign-on; without it they lead to the sign-in page."""
    router = APIRouter(include_in_schema=False)
    flows = SignOnFlows(services.cookie)
    # A company has one address for all its people.
    by_network: RateLimiter[str] = RateLimiter(Rate(per_second=2, burst=200))

    @router.get(f"{CALLBACK}/start")
    async def start(request: Request, next: str = "/", led: str = "") -> Response:
        sign_on = services.sign_on
        target = local_path(next)
        if sign_on is None:
            return refused(request, "sso-off", target=target)
        if session_of(request):
            return _redirect(f"{root_of(request)}{target}")
        if by_network.acquire(network_of(client_address(request))):
            return refused(request, "slow", target=target)
        address = sign_on.options.address or public_url(request)
        if not led and not _is_at(request, address):
            # The browser must come back to where its cookie is. A proxy may hide the address: it is led there once.
            return _redirect(f"{address}{CALLBACK}/start?{urlencode({'next': target, 'led': '1'})}")
        if len(target) > MAX_TARGET_CHARACTERS:
            target = "/"
        state = flows.new_state()
        begun = await sign_on.begin(f"{address}{CALLBACK}?{urlencode({'state': state})}")
        response = _redirect(begun.url)
        flows.write(request, response.headers, SignOnFlow(state=state, verifier=begun.verifier, target=target))
        return response

    @router.get(CALLBACK)
    async def come_back(request: Request) -> Response:
        sign_on, query = services.sign_on, request.query_params
        if sign_on is None:
            return refused(request, "sso-off")
        state = query.get("state", "")
        flow = flows.read(request, state)
        if flow is None:
            # The back button leads here, too.
            return _redirect(f"{root_of(request)}/") if session_of(request) else refused(request, "sso-foreign")
        response = await finish(request, sign_on, flow)
        flows.forget(request, response.headers, state)
        return response

    async def finish(request: Request, sign_on: SingleSignOn, flow: SignOnFlow) -> Response:
        query, target = request.query_params, flow.target
        if reason := reason_of(query):
            description = query.get("error_description", "")
            logger.info("single sign-on refused", reason=reason, error_code=query.get("error_code", "")[:60])
            return refused(request, reason, target=target, detail=sign_detail(services.cookie, description))
        code = query.get("code", "")
        if not 0 < len(code) <= MAX_CODE_CHARACTERS:
            return refused(request, "sso-failed", target=target)
        if by_network.acquire(network_of(client_address(request))):
            return refused(request, "slow", target=target)
        try:
            tokens = await sign_on.finish(code, flow.verifier, client_address=client_address(request))
        except LivewatchError as error:
            logger.info("single sign-on failed", cause=str(error))
            return refused(request, _reason(error), target=target)
        return await opened(request, tokens, target)

    async def opened(request: Request, tokens: Tokens, target: str) -> Response:
        response = _redirect(f"{root_of(request)}{local_path(target)}")
        try:
            await open_session(services, request, response, tokens)
        except SessionTooLarge:
            return refused(request, "large", target=target)
        response.background = BackgroundTask(opened_by, services, tokens.identity, browser_of(request))
        return response

    return router


def _reason(error: LivewatchError) -> str:
    if isinstance(error, SignOnRefused):
        return f"sso-{error.reason}"
    if isinstance(error, TooManyAttempts):
        return "slow"
    if isinstance(error, AuthError) and not isinstance(error, AuthUnavailable):
        return "sso-failed"
    return "unavailable"


def _is_at(request: Request, address: str) -> bool:
    return urlsplit(public_url(request))[:2] == urlsplit(address)[:2]


def _redirect(url: str) -> Response:
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})
