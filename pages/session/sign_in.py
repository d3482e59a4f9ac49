"""/sign-in: the only page that needs no session."""

from urllib.parse import urlencode

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from components.shell.reconnect import guard_reloads
from components.shell.sign_in_card import sign_in_card
from components.shell.theme.theme import apply_theme
from pages.http.auth_middleware import local_path, session_of
from pages.http.demo_entry import demo_refusal
from pages.installation.head import offer_installation
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.sso_errors import SIGN_ON_ERRORS, error_in, read_detail
from services.auth.single_sign_on import CALLBACK
from services.settings import SignUp

ERRORS = {
    "email": "Enter your e-mail address first.",
    "wrong": "E-mail and password do not match.",
    "unavailable": "The sign-in service does not respond. Try again in a moment.",
    "slow": "Too many attempts from your address. Wait a few minutes, then try again.",
    "large": "Your account has too many groups or too much data for a session. Ask an admin to remove some.",
    "refused": "The sign-in service rejected the request. Has the e-mail address been confirmed?",
}
ERRORS |= SIGN_ON_ERRORS
NOTICES = {
    "expired": "Your session has ended. Sign in again.",
    "signed-out": "You have signed out.",
    "sent": "If there is an account with this address, a link to sign in is on its way.",
}


def register_sign_in(services: Services) -> None:
    """Register the page; its forms post to the session routes."""

    @ui.page("/sign-in", title="Sign in · Livewatch")
    def page(request: Request, reason: str = "", next: str = "/", detail: str = "") -> Response | None:
        if session_of(request):
            return RedirectResponse(f"{root_of(request)}{local_path(next)}", status_code=303)
        apply_theme()
        guard_reloads()
        offer_installation()
        root_path = root_of(request)
        no_demo = demo_refusal(services, request)
        reason = reason or error_in(next)
        sign_on = services.sign_on
        sign_in_card(
            action=f"{root_path}/session",
            target=local_path(next),
            error=ERRORS.get(reason, ""),
            detail=read_detail(services.cookie, detail) if reason in SIGN_ON_ERRORS else "",
            notice=NOTICES.get(reason, ""),
            sign_on_label=sign_on.options.label if sign_on else "",
            sign_on_path=f"{root_path}{CALLBACK}/start?{urlencode({'next': local_path(next)})}",
            demo_action=f"{root_path}/session/demo" if no_demo is None else None,
            no_demo=no_demo or "",
            link_action=f"{root_path}/session/link" if services.accounts.sends_mail else "",
            forgot=f"{root_path}/forgot",
            sign_up=f"{root_path}/sign-up" if services.accounts.sign_up is SignUp.OPEN else "",
        )
        return None
