"""The session as a signed cookie."""

from http.cookies import SimpleCookie

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from services.auth.client import Tokens

NAME = "livewatch_session"
MAX_AGE = 30 * 24 * 3600


class SessionCookie:
    """Reads and writes the two tokens of a session, signed with `secret`; out of reach of scripts and other sites."""

    def __init__(self, secret: SecretStr) -> None:
        self._serializer = URLSafeTimedSerializer(secret.get_secret_value(), salt=NAME)

    def read(self, connection: HTTPConnection) -> Tokens | None:
        """The tokens that the request brings, or None when there are none or they were tampered with."""
        value = connection.cookies.get(NAME)
        if value is None:
            return None
        try:
            access_token, refresh_token = self._serializer.loads(value, max_age=MAX_AGE)
        except (BadData, TypeError, ValueError):
            return None
        return Tokens(access_token=SecretStr(access_token), refresh_token=SecretStr(refresh_token))

    def write(self, headers: MutableHeaders, tokens: Tokens, *, is_secure: bool) -> None:
        """Have the browser keep the tokens."""
        value = self._serializer.dumps(
            [tokens.access_token.get_secret_value(), tokens.refresh_token.get_secret_value()]
        )
        self._set(headers, str(value), MAX_AGE, is_secure=is_secure)

    def clear(self, headers: MutableHeaders, *, is_secure: bool) -> None:
        """Have the browser forget them."""
        self._set(headers, "", 0, is_secure=is_secure)

    def _set(self, headers: MutableHeaders, value: str, max_age: int, *, is_secure: bool) -> None:
        cookie: SimpleCookie = SimpleCookie()
        cookie[NAME] = value
        morsel = cookie[NAME]
        morsel["path"], morsel["max-age"], morsel["httponly"], morsel["samesite"] = "/", str(max_age), True, "lax"
        if is_secure:
            morsel["secure"] = True
        headers.append("set-cookie", morsel.OutputString())
