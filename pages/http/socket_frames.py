"""Frames of sockets that no browser of this app sends: they end their own socket, before a parser fails for them."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PACKET_TYPES = frozenset("123456")
"""Types of Engine.IO packets that a client sends: close, ping, pong, message, upgrade, noop."""
UNSUPPORTED = 1003


class SocketFrames:
    """ASGI middleware that closes a WebSocket at its first frame that is no Engine.IO packet of text."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        is_closed = False

        async def receive_checked() -> Message:
            nonlocal is_closed
            message = await receive()
            if message["type"] != "websocket.receive" or (message.get("text") or "?")[0] in PACKET_TYPES:
                return message
            is_closed = True
            await send({"type": "websocket.close", "code": UNSUPPORTED})
            return {"type": "websocket.disconnect", "code": UNSUPPORTED}

        async def send_open(message: Message) -> None:
            if not is_closed:
                await send(message)

        await self._app(scope, receive_checked, send_open)
