"""The browser behind a request."""

from starlette.requests import HTTPConnection

from services.people.session_uses import Browser


def browser_of(connection: HTTPConnection) -> Browser:
    """Return program and address of the browser that made a request."""
    return Browser(
        agent=connection.headers.get("user-agent", ""), address=connection.client.host if connection.client else ""
    )
