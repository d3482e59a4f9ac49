"""An aborted download is not an error; an exception in the app's own code is."""

import pytest
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from pages.http.downloads import Downloads

SCOPE = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}


class Passing(BaseHTTPMiddleware):
    """Nest two middlewares of this kind, like NiceGUI."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


async def never_begins(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("our own")


async def gone() -> Message:
    return {"type": "http.disconnect"}


async def drop(message: Message) -> None:
    pass


async def test_a_download_that_is_broken_off_is_an_error_to_starlette() -> None:
    with pytest.raises(RuntimeError, match="No response returned"):
        await Passing(Passing(never_begins))(dict(SCOPE), gone, drop)


async def test_a_download_that_is_broken_off_is_none_to_us() -> None:
    await Downloads(Passing(Passing(never_begins)))(dict(SCOPE), gone, drop)


async def test_an_error_of_our_own_comes_through() -> None:
    with pytest.raises(RuntimeError, match="our own"):
        await Downloads(fails)(dict(SCOPE), gone, drop)
