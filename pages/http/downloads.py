"""Keeps the downloads that a browser breaks off out of the log of errors."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Downloads:
    """ASGI middleware. A browser that moves on breaks them off, which Starlette's own middleware takes for an error."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_gone = False

        async def receive_and_note() -> Message:
            nonlocal is_gone
            message = await receive()
            is_gone = is_gone or message["type"] == "http.disconnect"
            return message

        try:
            await self._app(scope, receive_and_note, send)
        except RuntimeError:
            if not is_gone:
                raise
