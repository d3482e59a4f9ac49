"""The browser or program behind a request."""

from starlette.requests import HTTPConnection

from services.people.session_uses import Browser


def client_address(connection: HTTPConnection) -> str:
    """Return the address of a request's client; empty if it is not known."""
    return connection.client.host if connection.client else ""


def browser_of(connection: HTTPConnection) -> Browser:
    """Return program and address of the browser that made a request."""
    return Browser(agent=connection.headers.get("user-agent", ""), address=client_address(connection))
