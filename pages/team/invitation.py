"""/invitation/{token}: joins somebody who is signed in, and offers a stranger an account; and the route of its form."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote, urlencode
from uuid import UUID

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from nicegui import ui
from pydantic import SecretStr
from starlette.background import BackgroundTask

from components.shell.invitation_card import invitation_card
from components.shell.reconnect import guard_reloads
from components.shell.theme.theme import apply_theme
from pages.http.auth_middleware import session_of
from pages.page.browser import client_address
from pages.page.membership import ORG_PARAMETER
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.mail_links import MailLimits, tell_of_account
from pages.session.routes import open_session
from services.auth.client import Tokens
from services.auth.identity import Identity
from services.errors import (
    AccountRefused,
    AuthError,
    AuthUnavailable,
    LivewatchError,
    WrongCredentials,
)
from services.infra.rate_limiter import Rate, RateLimiter, network_of
from services.mail.mails import confirm_address_mail
from services.people.audit import note_account_opened
from services.people.invitations import INVITATION_BELOW, Offer, Outcome, accept, read_offer
from services.settings import SignUp
from services.text import is_blank, visible_name

logger = structlog.get_logger(__name__)

MAX_TOKEN_CHARACTERS = 200
ENDED = {
    "accepted": ("This invitation has been used", "It joined one person, and works only once."),
    "revoked": ("This invitation was revoked", "An admin of the organisation took it back."),
    "expired": ("This invitation has expired", "It was valid for some days only."),
}
UNKNOWN = ("There is no such invitation", "The link is incomplete, or a newer one has taken its place.")
ERRORS = {
    "slow": "Too many attempts from your address. Wait a few minutes, then try again.",
    "unavailable": "Livewatch cannot do this now. Try again in a moment.",
    "refused": "No account was opened with this address and password. Choose a longer password, or sign in if you have "
    "an account.",
    "confirm": "Confirm your address by the e-mail that was sent to you, then open the invitation again.",
    "name": "Enter your name, an e-mail address and a password.",
    "who": "Enter your name and an e-mail address.",
    "off": "New accounts are switched off on this server. Sign in to join with an account that you have.",
}
MAILED = "Check your mail: a link to confirm your address is on its way. It leads back here."


def register_invitation(services: Services) -> None:
    """Register the page."""

    @ui.page(f"{INVITATION_BELOW}{{token}}", title="Invitation · Livewatch")
    async def page(request: Request, token: str, reason: str = "") -> Response | None:
        session, error = session_of(request), ERRORS.get(reason, "")
        try:
            person = session.identity if session else None
            offer = await read_offer(services.database, token[:MAX_TOKEN_CHARACTERS], person)
            by_mail = offer is not None and session is None and await _confirms_by_mail(services, offer)
            # A site that leads a browser here must not join its user to an organisation.
            if session and offer and (offer.is_member or not _is_led_here(request)):
                org, outcome = await accept(services.database, session.identity, token)
                if outcome in (Outcome.JOINED, Outcome.MEMBER):
                    return _to_organization(request, org)
        except LivewatchError as failure:
            offer, by_mail, error = None, False, str(failure)
        apply_theme()
        guard_reloads()
        notice = MAILED if reason == "mailed" else ""
        terms = _Terms(accounts=services.accounts.sign_up is not SignUp.OFF, by_mail=by_mail)
        _show(request, token, offer, session.identity if session else None, terms, error=error, notice=notice)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    """Whether strangers may open an account, and whether a mail confirms their address before they join."""

    accounts: bool
    by_mail: bool


async def _confirms_by_mail(services: Services, offer: Offer) -> bool:
    """Whether a stranger's address must be confirmed: the invitation does not prove it, and mails are sent."""
    if offer.email is not None or services.mail is None or not services.auth.has_service_key:
        return False
    return not (await services.auth.server()).autoconfirm


def _show(
    request: Request,
    token: str,
    offer: Offer | None,
    person: Identity | None,
    terms: _Terms,
    *,
    error: str,
    notice: str,
) -> None:
    root = root_of(request)
    ways = [("To Livewatch", f"{root}/")]
    if offer is None:
        title, sentence = UNKNOWN if not error else ("The invitation cannot be read now", error)
        invitation_card(title=title, sentences=[sentence, "Ask the person who sent it to you."], ways=ways)
        return
    organization = visible_name(offer.org_name)
    if offer.state in ENDED:
        title, sentence = ENDED[offer.state]
        advice = f"Ask an admin of {organization} for a new one."
        invitation_card(title=title, sentences=[sentence, advice], ways=ways)
        return
    by = f"{visible_name(offer.invited_by)} invites you" if offer.invited_by else "You are invited"
    if person and offer.email not in (None, person.email.lower()):
        sentences = [
            f"It is for {offer.email}, and you are signed in as {person.email}.",
            "Sign out, then open the link again, or ask for one for your own address.",
        ]
        invitation_card(title="This invitation is for another address", sentences=sentences, ways=ways)
        return
    sentences = [f"{by} to watch its work live, as {offer.role.value}."]
    may_join = person is not None or terms.accounts
    if not may_join:
        sentences.append("New accounts are switched off on this server: join with an account that you have.")
    elif person is None and terms.by_mail:
        sentences.append("You get a link to confirm your address, choose a password, and join.")
    invitation_card(
        title=f"Join {organization}",
        sentences=sentences,
        action=f"{root}/session/join" if may_join else "",
        token=token,
        email=offer.email,
        sign_in="" if person else f"{root}/sign-in?next={quote(INVITATION_BELOW + token, safe='')}",
        error=error,
        notice=notice,
        joins=person is not None,
        asks_password=not terms.by_mail,
    )


class _Refused(Exception):
    """No account was opened at once; the argument is the key of an error, or `mailed`."""


def join_routes(services: Services, limits: MailLimits) -> APIRouter:
    """Return the route that the page's form posts to."""
    router = APIRouter(prefix="/session", include_in_schema=False)
    by_network: RateLimiter[str] = RateLimiter(Rate(per_second=1 / 30, burst=20))

    @router.post("/join")
    async def join(
        request: Request,
        token: Annotated[str, Form(max_length=MAX_TOKEN_CHARACTERS)] = "",
        name: Annotated[str, Form(max_length=120)] = "",
        email: Annotated[str, Form(max_length=320)] = "",
        password: Annotated[str, Form(max_length=1024)] = "",
    ) -> Response:
        session = session_of(request)
        tokens: Tokens | None = None
        try:
            if session is None:
                tokens = await open_account(request, token, name.strip(), email.strip(), SecretStr(password))
            identity = session.identity if session else tokens.identity if tokens else None
            org, outcome = await accept(services.database, identity, token) if identity else (None, Outcome.UNKNOWN)
        except _Refused as error:
            return _back(request, token, str(error))
        except LivewatchError as error:
            logger.info("joining failed", cause=str(error))
            return _back(request, token, "unavailable")
        is_member = outcome in (Outcome.JOINED, Outcome.MEMBER)
        response = _to_organization(request, org) if is_member else _back(request, token)
        if tokens:
            await open_session(services, request, response, tokens)
            response.background = BackgroundTask(note_account_opened, services.database, tokens.identity)
        return response

    async def open_account(request: Request, token: str, name: str, email: str, password: SecretStr) -> Tokens | None:
        """Open the account of a stranger; None for an invitation that has ended."""
        offer = await read_offer(services.database, token)
        if offer is None or offer.state != "open":
            return None
        if services.accounts.sign_up is SignUp.OFF:
            raise _Refused("off")
        if await _confirms_by_mail(services, offer):
            _send_link(services, limits, request, token, name=name, email=email.lower())
            raise _Refused("mailed")
        if is_blank(name) or not email or not password.get_secret_value():
            raise _Refused("name")
        address = client_address(request)
        if by_network.acquire(network_of(address)):
            logger.warning("joining rate limited", address=address)
            raise _Refused("slow")
        try:
            return await services.auth.open_account(offer.email or email, password, name=name, client_address=address)
        except (AccountRefused, WrongCredentials) as error:
            raise _Refused("refused") from error
        except AuthUnavailable as error:
            raise _Refused("unavailable") from error
        except AuthError as error:
            raise _Refused("confirm") from error

    return router


def _send_link(services: Services, limits: MailLimits, request: Request, token: str, *, name: str, email: str) -> None:
    """Have the address of a stranger confirmed, by a link that leads back to the invitation; raises _Refused."""
    if is_blank(name):
        raise _Refused("who")
    if reason := limits.refusal(request, email):
        raise _Refused("who" if reason == "email" else reason)

    def mail(link: str) -> None:
        if services.mail:
            services.mail.send_later(confirm_address_mail(email, link=link))

    services.links.sign_up_invited(
        email,
        name=name,
        address=services.accounts.address,
        target=INVITATION_BELOW + token,
        on_link=mail,
        on_taken=lambda: tell_of_account(services, email),
    )


def _back(request: Request, token: str, reason: str = "") -> Response:
    query = f"?{urlencode({'reason': reason})}" if reason else ""
    path = f"{root_of(request)}{INVITATION_BELOW}{quote(token, safe='')}{query}"
    return RedirectResponse(path, status_code=303)


def _to_organization(request: Request, org: UUID | None) -> Response:
    return RedirectResponse(f"{root_of(request)}/?{ORG_PARAMETER}={org}", status_code=303)


def _is_led_here(request: Request) -> bool:
    """Whether another site's page opened this one; browsers tell since 2023, at the latest."""
    return request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
