"""The session cookie of small and large tokens, as a browser keeps it and as it goes wrong."""

import secrets
from http.cookies import SimpleCookie
from itertools import permutations

import jwt
import pytest
from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection

from pages.page.session_cookie import MAX_PARTS, NAME, SessionCookie
from services.auth.client import Tokens
from services.errors import SessionTooLarge

COOKIE = SessionCookie(SecretStr("a secret of at least thirty-two characters"))
MAX_COOKIE_BYTES = 4096
MAX_LINE_BYTES = 16 * 1024


class Jar:
    """A browser's cookies."""

    def __init__(self) -> None:
        self.cookies: dict[str, str] = {}

    def take(self, headers: MutableHeaders) -> None:
        for line in headers.getlist("set-cookie"):
            assert len(line.encode()) <= MAX_COOKIE_BYTES
            ((name, morsel),) = SimpleCookie(line).items()
            if morsel["max-age"] == "0":
                self.cookies.pop(name, None)
            else:
                assert morsel["httponly"]
                assert (morsel["samesite"], morsel["path"]) == ("lax", "/")
                self.cookies[name] = morsel.value

    def write(self, tokens: Tokens) -> None:
        headers = MutableHeaders()
        COOKIE.write(headers, tokens, is_secure=False)
        self.take(headers)

    def read(self, order: list[str] | None = None) -> Tokens | None:
        line = "; ".join(f"{name}={self.cookies[name]}" for name in order or self.cookies)
        assert len(line) <= MAX_LINE_BYTES
        return COOKIE.read(HTTPConnection({"type": "http", "headers": [(b"cookie", line.encode())]}))


def tokens(random_bytes: int, **claims: object) -> Tokens:
    data = {"sub": "x", "random": secrets.token_urlsafe(random_bytes), **claims}
    access_token = jwt.encode(data, "k" * 32, algorithm="HS256")
    return Tokens(access_token=SecretStr(access_token), refresh_token=SecretStr(secrets.token_urlsafe(18)))


@pytest.mark.parametrize("size", [0, 100, 1500, 2200, 3000, 5000, 7000])
def test_tokens_of_any_size_return(size: int) -> None:
    jar, given = Jar(), tokens(size, name="علي \U0001f600")
    jar.write(given)
    assert jar.read() == given
    assert (NAME in jar.cookies) == (len(jar.cookies) == 1)


def test_two_hundred_groups_fit_below_the_limit_of_a_line_of_many_proxies() -> None:
    """Groups are named by ids (Entra ID) or by paths; their Base64 alone would be longer."""
    groups = [f"{secrets.token_hex(4)}-{secrets.token_hex(2)}-4{secrets.token_hex(8)}" for _ in range(200)]
    jar, given = Jar(), tokens(10, groups=groups)
    assert len(given.access_token.get_secret_value()) > 8000
    jar.write(given)
    assert jar.read() == given
    assert sum(map(len, jar.cookies.values())) < 8000


def test_parts_in_any_order_are_one_value() -> None:
    jar, given = Jar(), tokens(5000)
    jar.write(given)
    assert len(jar.cookies) > 1
    for order in permutations(jar.cookies):
        assert jar.read(list(order)) == given


def test_a_missing_part_or_one_of_another_value_is_no_session() -> None:
    jar, other = Jar(), Jar()
    jar.write(tokens(5000))
    other.write(tokens(5000))
    for name in jar.cookies:
        assert jar.read([each for each in jar.cookies if each != name]) is None
        mixed = Jar()
        mixed.cookies = {**jar.cookies, name: other.cookies[name]}
        assert mixed.read() is None


@pytest.mark.parametrize(
    "value", ["", ".", "a.2.", "a.1.x", "a.99.x", "a.-1.x", "a.²." + "x", "a.2.x", "x" * 4000, "a.2." + "\\u0000"]
)
def test_forged_parts_are_no_session(value: str) -> None:
    jar = Jar()
    jar.cookies = {f"{NAME}.0": value, f"{NAME}.1": value}
    assert jar.read() is None


def test_a_smaller_value_ends_the_parts_of_a_larger_and_the_other_way_round() -> None:
    jar = Jar()
    for size in (5000, 10, 7000, 3000, 10, 5000):
        given = tokens(size)
        jar.write(given)
        assert jar.read() == given
    headers = MutableHeaders()
    COOKIE.clear(headers, is_secure=True)
    jar.take(headers)
    assert jar.cookies == {}


def test_what_no_proxy_takes_is_refused_before_anything_is_written() -> None:
    headers, large = MutableHeaders(), tokens(20_000)
    with pytest.raises(SessionTooLarge):
        COOKIE.write(headers, large, is_secure=False)
    assert not headers.getlist("set-cookie")
    with pytest.raises(SessionTooLarge):
        COOKIE.check(large)
    assert MAX_PARTS * 4000 < MAX_LINE_BYTES


@pytest.mark.parametrize("token", ["x", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "e30.e30.", "e31.e30.s", "..", ""])
def test_tokens_that_are_no_jwt_return_as_they_are(token: str) -> None:
    jar = Jar()
    given = Tokens(access_token=SecretStr(token), refresh_token=SecretStr("r"))
    jar.write(given)
    assert jar.read() == given


def test_a_cookie_of_the_previous_version_is_read() -> None:
    value = COOKIE.signer(NAME).dumps(["access", "refresh"])
    jar = Jar()
    jar.cookies = {NAME: str(value)}
    found = jar.read()
    assert found
    assert (found.access_token.get_secret_value(), found.refresh_token.get_secret_value()) == ("access", "refresh")
