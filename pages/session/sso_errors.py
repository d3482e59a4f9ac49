"""What is said when single sign-on fails: sentences of the app, and the provider's own words, bounded and signed."""

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit

from itsdangerous import BadData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pages.http.auth_middleware import local_path
from pages.page.public_url import root_of
from pages.page.session_cookie import SessionCookie

SIGN_ON_ERRORS = {
    "sso-denied": "Single sign-on was cancelled, or the provider refused it. Try again, or ask an admin for access.",
    "sso-closed": "There is no account for your address, and new accounts are closed. Ask an admin for an invitation.",
    "sso-banned": "Your account is blocked. Ask an admin.",
    "sso-unverified": "The provider has not verified your e-mail address. Have it verified there, then try again.",
    "sso-domain": "Addresses of your domain may not sign in here. Use the account of your work.",
    "sso-over": "The sign-in took too long, or was used before. Try again.",
    "sso-foreign": "This sign-in was not begun in this browser, or took longer than ten minutes. Begin here.",
    "sso-provider": "The provider does not respond, or answered wrongly. Try again in a moment, then tell an admin.",
    "sso-clock": "The clocks of this server and the provider differ. Tell an admin.",
    "sso-failed": "Single sign-on failed. Try again, then tell an admin.",
    "sso-off": "Single sign-on is not set up here. Sign in with your password.",
}
"""Sentences by reason."""
BY_CODE = {
    "signup_disabled": "sso-closed",
    "user_banned": "sso-banned",
    "provider_email_needs_verification": "sso-unverified",
    "bad_oauth_state": "sso-over",
    "bad_oauth_callback": "sso-over",
    "flow_state_already_used": "sso-over",
    "flow_state_expired": "sso-over",
    "flow_state_not_found": "sso-over",
    "oauth_client_state_expired": "sso-over",
    "oauth_client_state_not_found": "sso-over",
    "validation_failed": "sso-failed",
    "oauth_provider_not_supported": "sso-failed",
}
BY_ERROR = {
    "access_denied": "sso-denied",
    "login_required": "sso-denied",
    "consent_required": "sso-denied",
    "interaction_required": "sso-denied",
    "server_error": "sso-provider",
    "temporarily_unavailable": "sso-provider",
}
PURPOSE = "livewatch_sso_detail"
MAX_DETAIL = 200
DETAIL_SECONDS = 600


def reason_of(query: Mapping[str, str]) -> str:
    """Return the reason for the parameters of a redirect of the Auth server; empty if they hold no error."""
    error, code = query.get("error", ""), query.get("error_code", "")
    if not error and not code:
        return ""
    if "compare the clocks" in query.get("error_description", ""):
        return "sso-clock"
    return BY_CODE.get(code) or BY_ERROR.get(error, "sso-failed")


def refused(request: Request, reason: str, *, target: str = "/", detail: str = "") -> Response:
    """Return the redirect to the sign-in page, which says why; `detail` is signed."""
    query = {"reason": reason, "next": local_path(target)} | ({"detail": detail} if detail else {})
    # An empty fragment: else the browser keeps the one with Auth's error.
    url = f"{root_of(request)}/sign-in?{urlencode(query)}#"
    return RedirectResponse(url, status_code=303, headers={"Cache-Control": "no-store"})


def error_in(target: str) -> str:
    """Return the reason in an address of the app to which the Auth server led a browser whose flow it did not know."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return ""
    query = dict(parse_qsl(parts.query))
    return reason_of(query) if parts.path == "/" and "error_code" in query else ""


def sign_detail(cookie: SessionCookie, text: str) -> str:
    """Return the provider's words in a form that nobody else can make, since the sign-in page shows them."""
    words = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    shown = words if len(words) <= MAX_DETAIL else f"{words[: MAX_DETAIL - 1]}…"
    return str(cookie.signer(PURPOSE).dumps(shown)) if shown else ""


def read_detail(cookie: SessionCookie, detail: str) -> str:
    """Return the words that `sign_detail` signed; empty if it did not, or some time ago."""
    if not detail:
        return ""
    try:
        return str(cookie.signer(PURPOSE).loads(detail, max_age=DETAIL_SECONDS))
    except BadData:
        return ""
