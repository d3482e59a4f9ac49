"""Suppression of errors from downloads that the browser aborted."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Downloads:
    """ASGI middleware that ignores aborted downloads, for which Starlette's own middleware raises a RuntimeError."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_disconnected = False

        async def receive_and_watch() -> Message:
            nonlocal is_disconnected
            message = await receive()
            is_disconnected = is_disconnected or message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, receive_and_watch, send)
        except RuntimeError:
            if not is_disconnected:
                raise
