"""Route of the form to sign up: an account at once where no address is confirmed, else a link by e-mail."""

from typing import Annotated

import structlog
from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from pydantic import SecretStr

from pages.page.browser import client_address
from pages.page.services import Services
from pages.session.link_cookies import messages
from pages.session.mail_links import MailLimits, back, keep_request, tell_of_account
from pages.session.routes import open_session
from services.auth.mail_links import confirm_url
from services.errors import (
    AccountRefused,
    AuthError,
    PasswordRefused,
    SessionTooLarge,
    TooManyAttempts,
    WrongCredentials,
)
from services.settings import SignUp
from services.text import is_blank

logger = structlog.get_logger(__name__)


def sign_up_routes(services: Services, limits: MailLimits) -> APIRouter:
    """Return the route; with mails, its answer is the same for addresses with and without an account."""
    router = APIRouter(prefix="/session", include_in_schema=False)

    @router.post("/sign-up")
    async def sign_up(
        request: Request,
        name: Annotated[str, Form(max_length=120)] = "",
        email: Annotated[str, Form(max_length=320)] = "",
        password: Annotated[str, Form(max_length=1024)] = "",
    ) -> Response:
        name, email = name.strip(), email.strip().lower()
        if services.accounts.sign_up is not SignUp.OPEN:
            return back(request, "/sign-up")
        if reason := "name" if is_blank(name) else limits.refusal(request, email):
            return back(request, "/sign-up", reason=reason)
        try:
            if (await services.auth.server()).autoconfirm:
                return await open_account(request, name, email, SecretStr(password))
            return await send_link(request, name, email)
        except SessionTooLarge:
            raise
        except PasswordRefused as error:
            return back(request, "/sign-up", said=messages(services).dumps(str(error)))
        except AuthError as error:
            logger.info("sign-up failed", cause=str(error))
            return back(request, "/sign-up", reason=_reason(error))

    async def open_account(request: Request, name: str, email: str, password: SecretStr) -> Response:
        if not password.get_secret_value():
            return back(request, "/sign-up", reason="password")
        tokens = await services.auth.open_account(email, password, name=name, client_address=client_address(request))
        logger.info("account opened")
        response = back(request, "/")
        await open_session(services, request, response, tokens)
        return response

    async def send_link(request: Request, name: str, email: str) -> Response:
        verifier = await services.links.sign_up(
            email,
            name=name,
            redirect_to=confirm_url(services.accounts.address, type="signup"),
            client_address=client_address(request),
            on_taken=lambda: tell_of_account(services, email),
        )
        return keep_request(services, request, back(request, "/sign-up", reason="sent"), verifier, "signup", "/")

    return router


def _reason(error: AuthError) -> str:
    if isinstance(error, TooManyAttempts):
        return "slow"
    return "refused" if isinstance(error, AccountRefused | WrongCredentials) else "unavailable"
