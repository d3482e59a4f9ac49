"""Values that the app hands to a browser and takes back: signed, and valid for a while."""

from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from pages.page.session_cookie import set_cookie


class Signed:
    """Texts signed with the app's secret for one purpose.

    Args:
        name: The purpose, which is also the name of the cookie.
        secret: The secret of the session cookie.
        max_age: Seconds for which a value is valid.
    """

    def __init__(self, name: str, secret: SecretStr, *, max_age: int) -> None:
        self._name = name
        self._max_age = max_age
        self._serializer = URLSafeTimedSerializer(secret.get_secret_value(), salt=name)

    def dumps(self, *values: str) -> str:
        """Return values as one signed text."""
        return str(self._serializer.dumps(list(values)))

    def loads(self, text: str, count: int) -> tuple[str, ...] | None:
        """Return the `count` values of a signed text; None if it is too old, forged or of another kind."""
        try:
            values: Any = self._serializer.loads(text, max_age=self._max_age)
        except BadData:
            return None
        is_whole = isinstance(values, list) and len(values) == count and all(isinstance(each, str) for each in values)
        return tuple(values) if is_whole else None

    def read(self, connection: HTTPConnection, count: int) -> tuple[str, ...] | None:
        """Return the values of the request's cookie, like `loads`."""
        value = connection.cookies.get(self._name)
        return self.loads(value, count) if value else None

    def write(self, headers: MutableHeaders, *values: str, is_secure: bool) -> None:
        """Add the cookie to response headers, HttpOnly and SameSite=Lax."""
        set_cookie(headers, self._name, self.dumps(*values), max_age=self._max_age, is_secure=is_secure)

    def clear(self, headers: MutableHeaders, *, is_secure: bool) -> None:
        """Add an expired cookie to response headers, so that the browser deletes its own."""
        set_cookie(headers, self._name, "", max_age=0, is_secure=is_secure)
