"""Routes that ask for a link by e-mail, for a new password or to sign in; and the limits of such requests."""

from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.background import BackgroundTask

from pages.http.auth_middleware import local_path
from pages.page.browser import client_address
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.link_cookies import link_cookie
from services.auth.mail_links import confirm_url
from services.errors import MailNotSent, TooManyAttempts
from services.infra.rate_limiter import Rate, RateLimiter, network_of
from services.mail.mails import account_exists_mail
from services.people.audit import note_password_request
from services.people.invitations import ADDRESS

logger = structlog.get_logger(__name__)

NETWORK_RATE = Rate(per_second=1 / 60, burst=20)
ADDRESS_RATE = Rate(per_second=1 / 600, burst=3)
"""Mails to one address, so that nobody is flooded."""

Email = Annotated[str, Form(max_length=320)]
Target = Annotated[str, Form(max_length=2000)]


class MailLimits:
    """Limits of requests for mails, per network of who asks and per address that would get them."""

    def __init__(self) -> None:
        self._networks: RateLimiter[str] = RateLimiter(NETWORK_RATE)
        self._addresses: RateLimiter[str] = RateLimiter(ADDRESS_RATE)

    def refusal(self, request: Request, email: str) -> str:
        """Return why no mail is sent, `email` or `slow`; empty if it is, which counts."""
        if not ADDRESS.fullmatch(email):
            return "email"
        client = client_address(request)
        if self._networks.acquire(network_of(client)) or self._addresses.acquire(email):
            logger.warning("request for a mail rate limited", address=client)
            return "slow"
        return ""


def mail_link_routes(services: Services, limits: MailLimits) -> APIRouter:
    """Return the routes; what they answer is the same for addresses with and without an account."""
    router = APIRouter(prefix="/session", include_in_schema=False)
    accounts = services.accounts

    @router.post("/forgot")
    async def forgot(request: Request, email: Email = "") -> Response:
        email = email.strip().lower()
        if not accounts.sends_mail:
            return back(request, "/forgot")
        if reason := limits.refusal(request, email):
            return back(request, "/forgot", reason=reason)
        address = client_address(request)
        url = confirm_url(accounts.address, type="recovery")
        try:
            verifier = await services.links.recover(email, redirect_to=url, client_address=address)
        except TooManyAttempts:
            return back(request, "/forgot", reason="slow")
        response = back(request, "/forgot", reason="sent")
        response.background = BackgroundTask(note_password_request, services.database, email, address=address)
        return keep_request(services, request, response, verifier, "recovery", "/")

    @router.post("/link")
    async def link(request: Request, email: Email = "", next: Target = "/") -> Response:
        email, target = email.strip().lower(), local_path(next)
        if not accounts.sends_mail:
            return back(request, "/sign-in", next=target)
        if reason := limits.refusal(request, email):
            return back(request, "/sign-in", reason=reason, next=target)
        url = confirm_url(accounts.address, type="magiclink", next=target)
        try:
            verifier = await services.links.magic_link(email, redirect_to=url, client_address=client_address(request))
        except TooManyAttempts:
            return back(request, "/sign-in", reason="slow", next=target)
        response = back(request, "/sign-in", reason="sent", next=target)
        return keep_request(services, request, response, verifier, "magiclink", target)

    return router


def back(request: Request, path: str, **query: str) -> RedirectResponse:
    """Return the way back to a page."""
    return RedirectResponse(f"{root_of(request)}{path}?{urlencode(query)}", status_code=303)


def keep_request(services: Services, request: Request, response: Response, *values: str) -> Response:
    """Have the browser keep verifier, type and target, which a link of a project's own template needs."""
    link_cookie(services).write(response.headers, *values, is_secure=request.url.scheme == "https")
    return response


def tell_of_account(services: Services, email: str) -> None:
    """Mail somebody who signs up that there is an account with the address already, if the app sends mails."""
    if services.mail:
        try:
            services.mail.send_later(account_exists_mail(email, address=services.accounts.address))
        except MailNotSent as error:
            logger.warning("mail not sent", cause=str(error))
