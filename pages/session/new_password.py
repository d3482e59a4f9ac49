"""/new-password: sets the password of an account that was opened by a link, and the route of its form."""

from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from nicegui import ui
from pydantic import SecretStr
from starlette.background import BackgroundTask

from components.shell.account_card import EMAIL, NEW_PASSWORD, account_card
from components.shell.reconnect import guard_reloads
from components.shell.theme.theme import apply_theme
from pages.http.auth_middleware import session_of
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.link_cookies import messages, new_password_cookie
from services.auth.sessions import UserSession
from services.errors import AuthError, AuthUnavailable, SessionExpired
from services.people.audit import note_password_set

logger = structlog.get_logger(__name__)

PATH = "/new-password"
ERRORS = {
    "empty": "Enter a password.",
    "unavailable": "The sign-in service does not respond. Try again in a moment.",
}


def register_new_password(services: Services) -> None:
    """Register the page."""

    @ui.page(PATH, title="New password · Livewatch")
    def page(request: Request, reason: str = "", said: str = "") -> None:
        apply_theme()
        guard_reloads()
        root = root_of(request)
        session = session_of(request)
        allowed = _allowed(services, request, session)
        if session is None or allowed is None:
            sentence = "A new password is set within half an hour of opening a link, in the same browser."
            ways = [("Ask for a link", f"{root}/forgot"), ("To Livewatch", f"{root}/")]
            account_card(title="Open a link first", sentences=[sentence], ways=ways)
            return
        message = messages(services).loads(said, 1) if said else None
        is_new = allowed[1] != "recovery"
        address = replace(EMAIL, value=session.identity.email)
        account_card(
            title="Choose a password" if is_new else "Set a new password",
            sentences=["" if is_new else "All other sessions of your account end."],
            action=f"{root}/session/password",
            fields=[address, NEW_PASSWORD],
            label="Save password",
            error=message[0] if message else ERRORS.get(reason, ""),
        )


def new_password_routes(services: Services) -> APIRouter:
    """Return the route that the page's form posts to."""
    router = APIRouter(prefix="/session", include_in_schema=False)

    def back(request: Request, **query: str) -> Response:
        path = f"{root_of(request)}{PATH}?{urlencode(query)}".rstrip("?")
        return RedirectResponse(path, status_code=303)

    @router.post("/password")
    async def set_password(request: Request, password: Annotated[str, Form(max_length=1024)] = "") -> Response:
        session = session_of(request)
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=401)
        allowed = _allowed(services, request, session)
        if allowed is None or not password:
            return back(request, reason="empty")
        try:
            await services.links.set_password(session.tokens, SecretStr(password))
        except AuthError as error:
            logger.warning("password not set", cause=str(error))
            is_away = isinstance(error, AuthUnavailable | SessionExpired)
            query = {"reason": "unavailable"} if is_away else {"said": messages(services).dumps(str(error))}
            return back(request, **query)
        response = RedirectResponse(f"{root_of(request)}{allowed[2]}", status_code=303)
        new_password_cookie(services).clear(response.headers, is_secure=request.url.scheme == "https")
        response.background = BackgroundTask(note_password_set, services.database, session.identity)
        return response

    return router


def _allowed(services: Services, request: Request, session: UserSession | None) -> tuple[str, ...] | None:
    """Return id, type and path of the link by which the session was opened; None for any other session."""
    allowed = new_password_cookie(services).read(request, 3)
    return allowed if allowed and session and allowed[0] == session.identity.session_id else None
