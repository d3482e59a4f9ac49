"""The WebSocket transport: uvicorn's protocol class, extended by bounded, non-blocking writes of encoded frames."""

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import State


class WireProtocol(WebSocketsSansIOProtocol):
    """WebSocket connection that the application finds in `scope["state"]["wire"]`.

    ASGI sends a message to one client, so it would encode a broadcast once per client. A server's frames are neither
    masked nor, here, compressed: they are the same bytes for every client and are written to the transport as they are.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.last_received = self.loop.time()
        """Loop time of the last received data."""
        self.last_progress = self.last_received
        """Loop time when the client was last seen to read, or to have read everything."""
        self._written = 0
        self._sent = 0

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if hasattr(self, "scope"):
            self.scope["state"]["wire"] = self

    def data_received(self, data: bytes) -> None:
        self.last_received = self.loop.time()
        super().data_received(data)

    def seconds_without_reading(self) -> float:
        """Seconds that the client has read nothing though there is unsent data; call it every few seconds."""
        sent = self._written - self.unsent
        if sent != self._sent or not self.unsent:
            self._sent, self.last_progress = sent, self.loop.time()
        return self.loop.time() - self.last_progress

    @property
    def unsent(self) -> int:
        """Bytes in the write buffer."""
        return int(self.transport.get_write_buffer_size())

    def write_frame(self, frame: bytes, max_unsent: int) -> bool:
        """Write without waiting; return False if the client is gone.

        Disconnects a client with more than `max_unsent` bytes in its write buffer.
        """
        if self.conn.state is not State.OPEN or self.transport.is_closing():
            return False
        if self.unsent > max_unsent:
            self.abort()
            return False
        self.transport.write(frame)
        self._written += len(frame)
        return True

    def close_idle(self, code: int) -> None:
        """Start the closing handshake; the transport closes even if the client does not answer."""
        if self.conn.state is State.OPEN and not self.close_sent:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
            self.conn.send_close(code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def abort(self) -> None:
        """Drop the connection at once, with its unsent data."""
        self.transport.abort()
