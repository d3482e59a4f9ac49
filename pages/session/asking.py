"""/forgot and /sign-up: pages that ask for an address, and say what happens next."""

from dataclasses import replace

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from components.shell.account_card import EMAIL, NAME, NEW_PASSWORD, account_card
from components.shell.reconnect import guard_reloads
from components.shell.theme.theme import apply_theme
from pages.http.auth_middleware import session_of
from pages.page.public_url import root_of
from pages.page.services import Services
from pages.session.link_cookies import messages
from services.errors import AuthError
from services.settings import SignUp

ERRORS = {
    "email": "Enter an e-mail address.",
    "name": "Enter your name.",
    "password": "Choose a password.",
    "slow": "Too many requests. Wait a few minutes, then try again.",
    "unavailable": "Livewatch cannot do this now. Try again in a moment.",
    "refused": "No account was opened with this address and password. If you have an account, sign in.",
}
SENT = "If nothing arrives within a few minutes, look in the spam folder, or check the address and ask again."


def register_asking(services: Services) -> None:
    """Register the pages; their forms post to the routes of mail links."""

    @ui.page("/forgot", title="Forgot password · Livewatch")
    def forgot(request: Request, reason: str = "") -> None:
        root = _begin(request)
        ways = [("Back to sign-in", f"{root}/sign-in")]
        if not services.accounts.sends_mail:
            account_card(title="Forgot your password?", sentences=NO_MAIL, ways=ways)
        elif reason == "sent":
            sentence = "If there is an account with this address, a link to set a new password is on its way."
            again = ("Ask again", f"{root}/forgot")
            account_card(title="Check your mail", sentences=[sentence, SENT], ways=[again, *ways])
        else:
            account_card(
                title="Forgot your password?",
                sentences=["Enter the address of your account. You get a link to set a new password."],
                action=f"{root}/session/forgot",
                fields=[EMAIL],
                label="Send link",
                error=ERRORS.get(reason, ""),
                ways=ways,
            )

    @ui.page("/sign-up", title="Sign up · Livewatch")
    async def sign_up(request: Request, reason: str = "", said: str = "") -> Response | None:
        if session_of(request):
            return RedirectResponse(f"{root_of(request)}/", status_code=303)
        message = messages(services).loads(said, 1) if said else None
        error = message[0] if message else ERRORS.get(reason, "")
        is_open, autoconfirm = services.accounts.sign_up is SignUp.OPEN, False
        if is_open and reason != "sent":
            try:
                server = await services.auth.server()
                autoconfirm, is_open = server.autoconfirm, not server.is_closed
            except AuthError as failure:
                error = str(failure)
        root = _begin(request)
        _show_sign_up(root, services.accounts.sign_up, is_open, autoconfirm, is_sent=reason == "sent", error=error)
        return None


NO_MAIL = (
    "This server sends no mail, so it cannot send you a link.",
    "Ask an admin of your organisation for a link to set a new password. Whoever runs the server can make one, too: "
    "python main.py user reset EMAIL",
)


def _show_sign_up(root: str, mode: SignUp, is_open: bool, autoconfirm: bool, *, is_sent: bool, error: str) -> None:
    ways = [("Sign in with an account", f"{root}/sign-in")]
    if not is_open:
        sentence = (
            "New accounts are switched off on this server."
            if mode is SignUp.OFF
            else "An account here begins with an invitation. Ask an admin of your organisation for one."
        )
        account_card(title="Sign-up is closed", sentences=[sentence], ways=ways)
    elif is_sent:
        sentence = "Open the link that is on its way to you, to confirm your address and choose a password."
        account_card(
            title="Check your mail", sentences=[sentence, SENT], ways=[("Ask again", f"{root}/sign-up"), *ways]
        )
    else:
        fields = [NAME, EMAIL, *([PASSWORD] if autoconfirm else [])]
        next_step = "" if autoconfirm else " You get a link to confirm your address, and then choose a password."
        account_card(
            title="Create an account",
            sentences=[f"Watch your organisation's work live.{next_step}"],
            action=f"{root}/session/sign-up",
            fields=fields,
            label="Create account" if autoconfirm else "Continue",
            error=error,
            ways=ways,
        )


PASSWORD = replace(NEW_PASSWORD, label="Password")


def _begin(request: Request) -> str:
    apply_theme()
    guard_reloads()
    return root_of(request)
