"""The browser or program behind a request."""

from urllib.parse import unquote

from starlette.requests import HTTPConnection

from services.people.session_uses import Browser

ZONE_COOKIE = "livewatch_zone"
"""Cookie in which `live_window.js` tells the reader's zone."""


def client_address(connection: HTTPConnection) -> str:
    """Return the address of a request's client; empty if it is not known."""
    return connection.client.host if connection.client else ""


def browser_of(connection: HTTPConnection) -> Browser:
    """Return program and address of the browser that made a request."""
    return Browser(agent=connection.headers.get("user-agent", ""), address=client_address(connection))


def zone_of_reader(connection: HTTPConnection) -> str:
    """Return the name of the reader's zone as the browser told it, untrusted; empty before a first visit."""
    return unquote(connection.cookies.get(ZONE_COOKIE, ""))
