"""Routes that open, renew and end a session; HTTP, because only a response can set a cookie."""

import asyncio
from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from pydantic import SecretStr
from starlette.background import BackgroundTask

from pages.http.auth_middleware import local_path, session_of
from pages.http.demo_entry import demo_refusal
from pages.page.browser import browser_of, client_address
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.sso_errors import refused
from services.auth.client import Tokens
from services.auth.identity import Identity
from services.errors import (
    AuthError,
    AuthUnavailable,
    SessionTooLarge,
    TooManyAttempts,
    WrongCredentials,
)
from services.infra.rate_limiter import Rate, RateLimiter, network_of
from services.people.audit import note_failed_sign_in, note_sign_in
from services.people.session_uses import Browser, discard_session

logger = structlog.get_logger(__name__)

GUESSED_ACCOUNT_DELAY_SECONDS = 2.0
"""How much later an account answers while others guess its password."""


def session_routes(services: Services) -> APIRouter:
    """Return the routes below /session: sign in (POST), enter the demo, renew the cookie, and end the session."""
    router = APIRouter(prefix="/session", include_in_schema=False)
    # Failed sign-ins only, to slow down guessing; Auth has limits of its own. Nobody is locked out by what others do
    # from elsewhere: an account that is guessed from many addresses answers later, and never refuses.
    by_guesser: RateLimiter[tuple[str, str]] = RateLimiter(Rate(per_second=1 / 30, burst=10))
    by_address: RateLimiter[str] = RateLimiter(Rate(per_second=1 / 10, burst=50))
    by_account: RateLimiter[str] = RateLimiter(Rate(per_second=1 / 10, burst=20))

    async def opened(request: Request, tokens: Tokens, target: str) -> Response:
        response = RedirectResponse(f"{root_of(request)}{local_path(target)}", status_code=303)
        await open_session(services, request, response, tokens)
        return response

    @router.post("")
    async def sign_in(
        request: Request,
        email: Annotated[str, Form(max_length=320)] = "",
        password: Annotated[str, Form(max_length=1024)] = "",
        next: Annotated[str, Form(max_length=2000)] = "/",
    ) -> Response:
        address = client_address(request)
        network, account = network_of(address), email.strip().lower()
        if by_address.acquire(network) or by_guesser.acquire((account, network)):
            logger.warning("sign-in rate limited", address=address)
            return refused(request, "slow", target=next)
        if by_account.acquire(account):
            await asyncio.sleep(GUESSED_ACCOUNT_DELAY_SECONDS)
        try:
            tokens = await services.auth.sign_in(email.strip(), SecretStr(password), client_address=address)
            by_address.refund(network)
            by_guesser.refund((account, network))
            by_account.refund(account)
            response = await opened(request, tokens, next)
            response.background = BackgroundTask(opened_by, services, tokens.identity, browser_of(request))
            return response
        except WrongCredentials:
            response = refused(request, "wrong", target=next)
            # Afterwards, so that the time of the answer does not tell whether there is such an account.
            response.background = BackgroundTask(note_failed_sign_in, services.database, account, address=address)
            return response
        except AuthError as error:
            return refused(request, _reason(error), target=next)

    @router.post("/demo")
    async def enter_demo(request: Request, next: Annotated[str, Form(max_length=2000)] = "/monitoring") -> Response:
        if services.enter_demo is None:
            return PlainTextResponse("The demo is not available. Sign in at /sign-in.", status_code=404)
        if refusal := demo_refusal(services, request):
            return PlainTextResponse(refusal, status_code=403)
        try:
            return await opened(request, await services.enter_demo(), next)
        except AuthError:
            return refused(request, "unavailable", target=next)

    @router.post("/renew")
    async def renew(request: Request) -> Response:
        session = session_of(request)
        response = Response(status_code=204 if session else 401)
        if session:
            services.cookie.write(response.headers, session.tokens, is_secure=request.url.scheme == "https")
        return response

    @router.post("/end")
    async def end(request: Request) -> Response:
        if session := session_of(request):
            await services.sessions.sign_out(session)
        response = RedirectResponse(f"{root_of(request)}/sign-in?reason=signed-out", status_code=303)
        services.cookie.clear(response.headers, is_secure=request.url.scheme == "https")
        return response

    return router


async def open_session(services: Services, request: Request, response: Response, tokens: Tokens) -> None:
    """Have a response open the session of the tokens in the browser.

    Raises:
        SessionTooLarge: The browser's cookies cannot hold it; it has ended.
    """
    try:
        services.cookie.check(tokens)
    except SessionTooLarge:
        await discard_session(services.database, tokens.identity)
        raise
    services.sessions.get_or_create(tokens)
    services.cookie.write(response.headers, tokens, is_secure=request.url.scheme == "https")


def refuse_large(request: Request, _: Exception) -> Response:
    """Answer a request that raised SessionTooLarge: the sign-in page says why."""
    return refused(request, "large")


async def opened_by(services: Services, identity: Identity, browser: Browser) -> None:
    """Note that the user has signed in, and where."""
    await services.session_uses.note(identity, browser)
    await note_sign_in(services.database, identity)


def _reason(error: AuthError) -> str:
    reasons = {TooManyAttempts: "slow", AuthUnavailable: "unavailable", SessionTooLarge: "large"}
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), "refused")
