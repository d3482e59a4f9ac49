"""What a browser keeps of a link that was asked for or opened, and where the link leads."""

from urllib.parse import parse_qs, urlsplit

from pages.http.auth_middleware import local_path
from pages.page.services import Services
from pages.session.signed import Signed
from services.auth.mail_links import CONFIRM_PATH

LINK_SECONDS = 3600
NEW_PASSWORD_SECONDS = 30 * 60
MESSAGE_SECONDS = 300


def link_cookie(services: Services) -> Signed:
    """Return the cookie of a link that was asked for: verifier, type and path to open."""
    return Signed("livewatch_link", services.cookie.secret, max_age=LINK_SECONDS)


def new_password_cookie(services: Services) -> Signed:
    """Return the cookie that lets a session set a password: its id, the link's type and the path to open."""
    return Signed("livewatch_new_password", services.cookie.secret, max_age=NEW_PASSWORD_SECONDS)


def messages(services: Services) -> Signed:
    """Return the signer of messages in a URL, so that no link makes the app say what it did not."""
    return Signed("livewatch_message", services.cookie.secret, max_age=MESSAGE_SECONDS)


def target_of(services: Services, next: str) -> str:
    """Return the path to open after a link: of `next`, a path or the URL that was given when the link was asked for."""
    path = next.removeprefix(services.accounts.address.rstrip("/"))
    parts = urlsplit(path)
    if parts.path == CONFIRM_PATH:
        path = parse_qs(parts.query).get("next", ["/"])[0]
    return local_path(path)
