"""The WebSocket end of a connection: uvicorn's protocol, with bounded writes of ready-made frames."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State


class WireProtocol(WebSocketsSansIOProtocol):
    """Passes itself to the application as `scope["state"]["wire"]`.

    ASGI sends one message to one client; a broadcast to a thousand would be encoded a thousand times. A frame of a
    server without compression is the same bytes for every client, so it is written to the transports directly.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last_received = self.loop.time()
        self.blocked_since: float | None = None

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["state"]["wire"] = self

    def data_received(self, data: bytes) -> None:
        self.last_received = self.loop.time()
        super().data_received(data)

    def pause_writing(self) -> None:
        self.blocked_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked_since = None
        super().resume_writing()

    def write_frame(self, frame: bytes, limit: int) -> bool:
        """Write without waiting; false when the client is gone or, with more than `limit` unsent, is cut off."""
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            return False
        if self.transport.get_write_buffer_size() > limit:
            self.cut()
            return False
        self.transport.write(frame)
        return True

    def close_idle(self, code: int) -> None:
        """Close in order, for a client that may no longer be there."""
        if self.conn.state is State.OPEN and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
            self.conn.send_close(code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def cut(self) -> None:
        """End the connection now; what is unsent is dropped."""
        self.transport.abort()
