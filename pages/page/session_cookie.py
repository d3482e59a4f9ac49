"""Signed cookie with the tokens of a session, split over several cookies if the tokens are large."""

import base64
import secrets
from collections.abc import Iterator
from http.cookies import SimpleCookie

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from services.auth.client import Tokens
from services.errors import SessionTooLarge

NAME = "livewatch_session"
MAX_AGE_SECONDS = 30 * 24 * 3600
PART_CHARACTERS = 3800
"""Characters of one cookie's value: browsers drop a cookie of more than 4,096 bytes with its name and attributes."""
MAX_PARTS = 4
"""Cookies are one line of a request's head, which the app's own sockets and most proxies limit to 16 KiB."""
TOKEN_PARTS = 3


class SessionCookie:
    """Reads and writes the tokens of a session as an HttpOnly, SameSite=Lax cookie, signed with `secret`.

    A value that is too large for one cookie is split: `livewatch_session.0`, `.1` and so on. Each part begins with the
    generation of its value and the number of parts, so that parts of different values are never joined.
    """

    def __init__(self, secret: SecretStr) -> None:
        self.secret = secret
        self._serializer = self.signer(NAME)

    def signer(self, purpose: str) -> URLSafeTimedSerializer:
        """Return a signer of other short values, whose signatures count for this purpose only."""
        return URLSafeTimedSerializer(self.secret.get_secret_value(), salt=purpose)

    def read(self, connection: HTTPConnection) -> Tokens | None:
        """Return the tokens in the request's cookies; None if they are missing, incomplete, too old or forged."""
        cookies = connection.cookies
        return self._tokens(cookies.get(NAME)) or self._tokens(_joined(cookies))

    def write(self, headers: MutableHeaders, tokens: Tokens, *, is_secure: bool) -> None:
        """Add the cookies with the tokens to response headers, and end those of an earlier value.

        Raises:
            SessionTooLarge: They do not fit.
        """
        values = self._values(tokens)
        for name in _names():
            value = values.get(name, "")
            set_cookie(headers, name, value, max_age=MAX_AGE_SECONDS if value else 0, is_secure=is_secure)

    def check(self, tokens: Tokens) -> None:
        """Raise SessionTooLarge if the tokens do not fit."""
        self._values(tokens)

    def clear(self, headers: MutableHeaders, *, is_secure: bool) -> None:
        """Add expired cookies to response headers, so that the browser deletes its own."""
        for name in _names():
            set_cookie(headers, name, "", max_age=0, is_secure=is_secure)

    def _values(self, tokens: Tokens) -> dict[str, str]:
        packed = [*_packed(tokens.access_token.get_secret_value()), tokens.refresh_token.get_secret_value()]
        value = str(self._serializer.dumps(packed))
        if len(value) <= PART_CHARACTERS:
            return {NAME: value}
        parts = [value[start : start + PART_CHARACTERS] for start in range(0, len(value), PART_CHARACTERS)]
        if len(parts) > MAX_PARTS:
            raise SessionTooLarge(f"The session needs {len(value)} bytes of cookies.")
        generation = secrets.token_hex(4)
        return {f"{NAME}.{index}": f"{generation}.{len(parts)}.{part}" for index, part in enumerate(parts)}

    def _tokens(self, value: str | None) -> Tokens | None:
        if not value:
            return None
        try:
            *access_token, refresh_token = self._serializer.loads(value, max_age=MAX_AGE_SECONDS)
            return Tokens(access_token=SecretStr(_unpacked(access_token)), refresh_token=SecretStr(refresh_token))
        except (BadData, TypeError, ValueError):
            return None


def set_cookie(
    headers: MutableHeaders, name: str, value: str, *, max_age: int, is_secure: bool, path: str = "/"
) -> None:
    """Add a cookie to response headers, HttpOnly and SameSite=Lax; one of `max_age` 0 is deleted."""
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"], morsel["max-age"], morsel["httponly"], morsel["samesite"] = path, str(max_age), True, "lax"
    if is_secure:
        morsel["secure"] = True
    headers.append("set-cookie", morsel.OutputString())


def _names() -> Iterator[str]:
    yield NAME
    yield from (f"{NAME}.{index}" for index in range(MAX_PARTS))


def _joined(cookies: dict[str, str]) -> str | None:
    """Return the value of all parts of one generation; None if one is missing, or they do not belong together."""
    generation, _, rest = cookies.get(f"{NAME}.0", "").partition(".")
    count, _, value = rest.partition(".")
    if count not in map(str, range(2, MAX_PARTS + 1)):
        return None
    for index in range(1, int(count)):
        beginning = f"{generation}.{count}."
        part = cookies.get(f"{NAME}.{index}", "")
        if not part.startswith(beginning):
            return None
        value += part.removeprefix(beginning)
    return value


def _packed(token: str) -> list[str]:
    """Return header and claims of a JWT as text, which compresses to half of their Base64, and its signature."""
    *parts, signature = token.split(".")
    try:
        texts = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode() for part in parts]
    except ValueError:
        return [token]
    packed = [*texts, signature]
    return packed if len(packed) == TOKEN_PARTS and _unpacked(packed) == token else [token]


def _unpacked(packed: list[str]) -> str:
    if len(packed) == 1:
        return packed[0]
    header, claims, signature = packed
    encoded = [base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in (header, claims)]
    return ".".join([*encoded, signature])
