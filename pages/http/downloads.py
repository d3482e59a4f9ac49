"""Requests of browsers that end while they are served, which are no errors: of files, and of a socket's polling."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ENDED = ("Session is disconnected", "Session not found")
"""What Engine.IO raises for a message that is posted to a session that has just ended."""


class Downloads:
    """ASGI middleware for requests that a browser may abort at any time.

    One that was aborted before it is served is dropped, since Engine.IO fails with a KeyError; one that is aborted
    later makes Starlette's own middleware raise a RuntimeError, which is ignored. One that Engine.IO fails for, because
    its session has just ended, is answered by 400, upon which the browser opens another.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = [await receive()]
        is_disconnected = begun[0]["type"] == "http.disconnect"
        if is_disconnected:
            return

        async def receive_and_watch() -> Message:
            nonlocal is_disconnected
            message = begun.pop() if begun else await receive()
            is_disconnected = is_disconnected or message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, receive_and_watch, send)
        except RuntimeError:
            if not is_disconnected:
                raise
        except KeyError as error:
            if error.args[:1] not in [(each,) for each in ENDED]:
                raise
            await PlainTextResponse("This session has ended.", 400)(scope, receive, send)
