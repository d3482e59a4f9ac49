"""Signed cookie with the tokens of a session."""

from http.cookies import SimpleCookie

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from services.auth.client import Tokens

NAME = "livewatch_session"
MAX_AGE_SECONDS = 30 * 24 * 3600


class SessionCookie:
    """Reads and writes the tokens of a session as an HttpOnly, SameSite=Lax cookie, signed with `secret`."""

    def __init__(self, secret: SecretStr) -> None:
        self.secret = secret
        self._serializer = URLSafeTimedSerializer(secret.get_secret_value(), salt=NAME)

    def read(self, connection: HTTPConnection) -> Tokens | None:
        """Return the tokens in the request's cookie; None if it is missing, too old or forged."""
        value = connection.cookies.get(NAME)
        if value is None:
            return None
        try:
            access_token, refresh_token = self._serializer.loads(value, max_age=MAX_AGE_SECONDS)
        except (BadData, TypeError, ValueError):
            return None
        return Tokens(access_token=SecretStr(access_token), refresh_token=SecretStr(refresh_token))

    def write(self, headers: MutableHeaders, tokens: Tokens, *, is_secure: bool) -> None:
        """Add the cookie with the tokens to response headers."""
        value = self._serializer.dumps(
            [tokens.access_token.get_secret_value(), tokens.refresh_token.get_secret_value()]
        )
        self._set(headers, str(value), MAX_AGE_SECONDS, is_secure=is_secure)

    def clear(self, headers: MutableHeaders, *, is_secure: bool) -> None:
        """Add an expired cookie to response headers, so that the browser deletes its own."""
        self._set(headers, "", 0, is_secure=is_secure)

    def _set(self, headers: MutableHeaders, value: str, max_age: int, *, is_secure: bool) -> None:
        cookie: SimpleCookie = SimpleCookie()
        cookie[NAME] = value
        morsel = cookie[NAME]
        morsel["path"], morsel["max-age"], morsel["httponly"], morsel["samesite"] = "/", str(max_age), True, "lax"
        if is_secure:
            morsel["secure"] = True
        headers.append("set-cookie", morsel.OutputString())
