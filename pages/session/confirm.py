"""/session/confirm: redeems the link of a mail, by a button and never by opening it: mail scanners open every link."""

from collections.abc import Mapping
from typing import Annotated, cast
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui
from starlette.background import BackgroundTasks

from components.shell.account_card import account_card
from components.shell.reconnect import guard_reloads
from components.shell.theme.theme import apply_theme
from pages.http.auth_middleware import session_of
from pages.page.browser import browser_of
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.link_cookies import link_cookie, new_password_cookie, target_of
from pages.session.routes import open_session, opened_by
from services.auth.client import Tokens
from services.auth.mail_links import CONFIRM_PATH, LINK_TYPES, LinkType
from services.errors import AuthError, AuthUnavailable, LinkRefused

logger = structlog.get_logger(__name__)

MAX_TOKEN_CHARACTERS = 300
PURPOSES = {
    "recovery": ("Set a new password", "This link lets you set a new password for your account.", "Continue"),
    "signup": ("Confirm your address", "One more step, and your account is ready.", "Confirm"),
    "invite": ("Accept the invitation", "One more step, and your account is ready.", "Continue"),
    "magiclink": ("Sign in", "This link signs you in to Livewatch.", "Sign in"),
    "email_change": ("Confirm the new address", "This link confirms another address for your account.", "Confirm"),
}
"""Headline, sentence and button by type of the link."""
ENDED = {
    "over": (
        "This link no longer works",
        ("It was used before, has expired, or a newer one has taken its place.", "A link works once, and for an hour."),
    ),
    "incomplete": ("This link is incomplete", ("Open it from the mail again, or copy all of it.",)),
    "browser": (
        "This link belongs to another browser",
        ("Open the link in the browser in which you asked for it, or ask for a new one.",),
    ),
    "followed": (
        "The link has been opened",
        (
            "If your account does not show the new address yet, open the link in the mail to your other address, too.",
            "Otherwise the link was too old: change the address again.",
        ),
    ),
    "half": (
        "One address is confirmed",
        ("Now open the link in the mail to your other address. The change takes effect then.",),
    ),
}
PASSWORD_TYPES = ("recovery", "signup", "invite")
"""Links after which a password is chosen."""


def register_confirm(services: Services) -> None:
    """Register the page."""

    @ui.page(CONFIRM_PATH, title="Continue · Livewatch")
    def page(
        request: Request,
        *,
        token_hash: str = "",
        type: str = "",
        code: str = "",
        next: str = "",
        reason: str = "",
        error_code: str = "",
    ) -> None:
        apply_theme()
        guard_reloads()
        asked = link_cookie(services).read(request, 3)
        kind = asked[1] if code and asked else type
        ended = _ended(token_hash, kind, code, reason, error_code, has_asked=asked is not None)
        root = root_of(request)
        if ended:
            title, said = ENDED[ended]
            ask = [] if ended in ("half", "followed") else [_ask_again(root, kind, services.accounts.sends_mail)]
            account_card(title=title, sentences=said, ways=[*ask, ("To Livewatch", f"{root}/")])
            return
        title, sentence, label = PURPOSES["magiclink" if kind == "email" else kind]
        sentences = [sentence]
        session = session_of(request)
        hidden = {"token_hash": token_hash, "type": type, "code": code, "next": next, "replaces": ""}
        if session:
            sentences.append(
                f"You are signed in here as {session.identity.email}. If you continue, the account of the link takes "
                "its place in this browser."
            )
            hidden["replaces"] = str(session.identity.user_id)
        account_card(
            title=title,
            sentences=sentences,
            action=f"{root}{CONFIRM_PATH}",
            hidden=hidden,
            label=label,
            error=ERRORS.get(reason, ""),
            ways=[("To Livewatch", f"{root}/")],
        )


ERRORS = {
    "unavailable": "The sign-in service does not respond. Try again in a moment.",
    "changed": "Who is signed in here has changed meanwhile. Look, then continue.",
}


def confirm_routes(services: Services) -> APIRouter:
    """Return the route that the page's form posts to."""
    router = APIRouter(include_in_schema=False)

    @router.post(CONFIRM_PATH)
    async def confirm(
        request: Request,
        *,
        token_hash: Annotated[str, Form(max_length=MAX_TOKEN_CHARACTERS)] = "",
        type: Annotated[str, Form(max_length=40)] = "",
        code: Annotated[str, Form(max_length=MAX_TOKEN_CHARACTERS)] = "",
        next: Annotated[str, Form(max_length=2000)] = "",
        replaces: Annotated[str, Form(max_length=40)] = "",
    ) -> Response:
        query = {"token_hash": token_hash, "type": type, "code": code, "next": next}
        session = session_of(request)
        if replaces != (str(session.identity.user_id) if session else ""):
            return _back(request, query, "changed")
        asked = link_cookie(services).read(request, 3)
        kind, target = (asked[1], asked[2]) if code and asked else (type, target_of(services, next))
        if ended := _ended(token_hash, kind, code, "", "", has_asked=asked is not None):
            return _back(request, {"type": kind}, ended)
        try:
            tokens = await redeem(token_hash, kind, code, asked[0] if asked else "")
        except AuthUnavailable:
            return _back(request, query, "unavailable")
        except AuthError as error:
            logger.info("link refused", type=kind, cause=str(error))
            return _back(request, {"type": kind}, "over")
        if tokens is None:
            return _back(request, {"type": kind}, "half")
        return await entered(request, tokens, kind, target)

    async def redeem(token_hash: str, kind: str, code: str, verifier: str) -> Tokens | None:
        if token_hash:
            return await services.links.redeem(cast(LinkType, kind), token_hash)
        if not verifier:
            raise LinkRefused("The browser did not ask for this link.")
        return await services.links.exchange(code, verifier)

    async def entered(request: Request, tokens: Tokens, kind: str, target: str) -> Response:
        """Open the session of a link in the browser, in place of the one that was open."""
        root, is_secure = root_of(request), request.url.scheme == "https"
        sets_password = kind in PASSWORD_TYPES
        response = RedirectResponse(f"{root}/new-password" if sets_password else f"{root}{target}", status_code=303)
        tasks = BackgroundTasks()
        if session := session_of(request):
            tasks.add_task(services.sessions.sign_out, session)
        tasks.add_task(opened_by, services, tokens.identity, browser_of(request))
        response.background = tasks
        await open_session(services, request, response, tokens)
        link_cookie(services).clear(response.headers, is_secure=is_secure)
        if sets_password:
            new_password_cookie(services).write(
                response.headers, tokens.identity.session_id, kind, target, is_secure=is_secure
            )
        return response

    return router


def _ended(token_hash: str, kind: str, code: str, reason: str, error_code: str, *, has_asked: bool) -> str:
    """Return why a link cannot be redeemed, a key of `ENDED`; empty if it can be tried."""
    if reason in ENDED:
        return reason
    if error_code:
        return "over"
    if code and not token_hash:
        return "" if has_asked and kind in PURPOSES else "browser"
    if kind == "email_change" and not token_hash:
        # A project's own link is checked by its Auth, which tells what came of it where no server can read it.
        return "followed"
    return "" if token_hash and kind in LINK_TYPES else "incomplete"


def _ask_again(root: str, kind: str, sends_mail: bool) -> tuple[str, str]:
    if kind == "signup":
        return "Sign up again", f"{root}/sign-up"
    if kind == "recovery":
        return "Ask for a new link" if sends_mail else "How to get a new link", f"{root}/forgot"
    return "To sign-in", f"{root}/sign-in"


def _back(request: Request, query: Mapping[str, str], reason: str) -> Response:
    values = {name: value for name, value in query.items() if value}
    path = f"{root_of(request)}{CONFIRM_PATH}?{urlencode({**values, 'reason': reason})}"
    return RedirectResponse(path, status_code=303)
