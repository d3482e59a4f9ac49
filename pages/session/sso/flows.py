"""Begun sign-ins by single sign-on, each in a signed cookie of the browser that began it."""

import re
import secrets
from dataclasses import dataclass

from itsdangerous import BadData
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from pages.page.session_cookie import SessionCookie, set_cookie
from services.auth.single_sign_on import CALLBACK

PREFIX = "livewatch_sso_"
LIFETIME_SECONDS = 600
MAX_FLOWS = 5
"""Sign-ins that one browser may have begun at a time, in tabs; the oldest ends for a further one."""
STATE = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOnFlow:
    """A begun sign-in: its random state, its PKCE verifier, and the path to open afterwards."""

    state: str
    verifier: SecretStr
    target: str


class SignOnFlows:
    """Writes and reads the cookies: HttpOnly, SameSite=Lax, ten minutes, sent to single sign-on's paths only."""

    def __init__(self, cookie: SessionCookie) -> None:
        self._signer = cookie.signer("livewatch_sso")

    @staticmethod
    def new_state() -> str:
        """Return a random state."""
        return secrets.token_urlsafe(16)

    def write(self, connection: HTTPConnection, headers: MutableHeaders, flow: SignOnFlow) -> None:
        """Remember a flow in the browser, and forget the oldest of too many."""
        begun = []
        for name, value in connection.cookies.items():
            if name.startswith(PREFIX):
                begun.append((self._age(value), name))
        for _, name in sorted(begun, reverse=True)[: max(0, len(begun) - MAX_FLOWS + 1)]:
            _set(connection, headers, name, "")
        value = self._signer.dumps([flow.state, flow.verifier.get_secret_value(), flow.target])
        _set(connection, headers, PREFIX + flow.state, str(value))

    def read(self, connection: HTTPConnection, state: str) -> SignOnFlow | None:
        """Return the flow of a state that this browser began; None if it did not, or too long ago."""
        if not STATE.fullmatch(state):
            return None
        try:
            name, verifier, target = self._signer.loads(
                connection.cookies.get(PREFIX + state, ""), max_age=LIFETIME_SECONDS
            )
        except (BadData, TypeError, ValueError):
            return None
        return SignOnFlow(state=state, verifier=SecretStr(verifier), target=target) if name == state else None

    def forget(self, connection: HTTPConnection, headers: MutableHeaders, state: str) -> None:
        """End a flow, whose state is then good no more."""
        if STATE.fullmatch(state):
            _set(connection, headers, PREFIX + state, "")

    def _age(self, value: str) -> float:
        try:
            _, signed_at = self._signer.loads(value, max_age=LIFETIME_SECONDS, return_timestamp=True)
        except BadData:
            return float("inf")
        return float(-signed_at.timestamp())


def _set(connection: HTTPConnection, headers: MutableHeaders, name: str, value: str) -> None:
    set_cookie(
        headers,
        name,
        value,
        max_age=LIFETIME_SECONDS if value else 0,
        is_secure=connection.url.scheme == "https",
        path=f"{connection.scope.get('root_path', '')}{CALLBACK}",
    )
