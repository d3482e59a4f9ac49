"""An aborted download is not an error; an exception in the app's own code is."""

import engineio
import pytest
from engineio.async_socket import AsyncSocket
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


def arriving(*types: str) -> Receive:
    """Return a `receive` with messages of these types; the last one comes again and again."""
    left = list(types)

    async def receive() -> Message:
        return {"type": left.pop(0) if len(left) > 1 else left[0]}

    return receive


async def drop(message: Message) -> None:
    pass


async def test_a_download_that_is_broken_off_is_an_error_to_starlette() -> None:
    with pytest.raises(RuntimeError, match="No response returned"):
        await Passing(Passing(never_begins))(dict(SCOPE), arriving("http.request", "http.disconnect"), drop)


async def test_a_download_that_is_broken_off_is_none_to_us() -> None:
    await Downloads(Passing(Passing(never_begins)))(dict(SCOPE), arriving("http.request", "http.disconnect"), drop)


async def test_an_error_of_our_own_comes_through() -> None:
    with pytest.raises(RuntimeError, match="our own"):
        await Downloads(fails)(dict(SCOPE), arriving("http.request"), drop)


async def test_a_request_whose_browser_has_gone_before_it_is_served_is_dropped() -> None:
    socket = engineio.ASGIApp(engineio.AsyncServer(async_mode="asgi"))
    scope = {**SCOPE, "path": "/engine.io/"}
    with pytest.raises(KeyError):
        await socket(dict(scope), arriving("http.disconnect"), drop)
    await Downloads(socket)(dict(scope), arriving("http.disconnect"), drop)


async def test_a_message_to_a_session_that_has_just_ended_is_answered() -> None:
    server = engineio.AsyncServer(async_mode="asgi")
    ended = AsyncSocket(server, "sid")
    ended.closed = True
    scope = {**SCOPE, "path": "/engine.io/", "method": "POST", "query_string": b"EIO=4&transport=polling&sid=sid"}
    statuses: list[int] = []

    async def note(message: Message) -> None:
        statuses.append(message.get("status", 0))

    server.sockets["sid"] = ended
    with pytest.raises(KeyError, match="Session is disconnected"):
        await engineio.ASGIApp(server)(dict(scope), arriving("http.request"), note)
    server.sockets["sid"] = ended
    await Downloads(engineio.ASGIApp(server))(dict(scope), arriving("http.request"), note)
    assert statuses == [400, 0]


async def test_another_missing_key_is_an_error() -> None:
    async def fails_otherwise(scope: Scope, receive: Receive, send: Send) -> None:
        raise KeyError("name")

    with pytest.raises(KeyError, match="name"):
        await Downloads(fails_otherwise)(dict(SCOPE), arriving("http.request"), drop)
