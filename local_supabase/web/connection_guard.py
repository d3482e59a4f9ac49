"""Limits of HTTP connections before any application sees them: size and time of what is sent, and number by address.

uvicorn's own protocol waits for the end of headers for ever, and its parser copies what it has at every piece.
"""

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024
HEADER_TIMEOUT_SECONDS = 15.0
BODY_TIMEOUT_SECONDS = 15.0
MIN_BODY_RATE = 1024
"""Bytes per second that a body must bring on average, beyond the first seconds."""
MAX_CONNECTIONS_PER_ADDRESS = 1000
LINGER_SECONDS = 1.0
"""Time in which what a refused sender still sends is thrown away, so that it can read the refusal."""
REFUSAL = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 32\r\nconnection: close\r\n\r\nThe request's head is too large."
)


def guarded_protocol(is_exempt: Callable[[str], bool]) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol class for HTTP with limits.

    Args:
        is_exempt: Whether an address may open any number of connections, since many clients share it. A loopback
            address always may: a proxy or tunnel may be behind it.
    """

    class Guarded(GuardedProtocol):
        def may_open_any_number(self, address: str) -> bool:
            return is_exempt(address)

    return Guarded


class GuardedProtocol(HttpToolsProtocol):
    """HTTP connection that is cut when it sends a head of more than 64 KiB, or head or body too slowly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_in_body = False
        self._is_refused = False
        self._head_bytes = 0
        self._body_bytes = 0
        self._silent_bytes = 0
        self._since: float | None = None
        """Loop time at which the head or the body began; None while nothing is expected."""
        self._timer: asyncio.TimerHandle | None = None

    def may_open_any_number(self, address: str) -> bool:
        """Whether the limit by address does not concern this address."""
        return False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._is_one_too_many():
            self._is_refused = True
            transport.abort()
            return
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        while data and not self._is_refused and not self.transport.is_closing():
            room = MAX_HEADER_BYTES - self._head_bytes
            piece, data = (data, b"") if self._is_in_body else (data[:room], data[room:])
            self._feed(piece)
            if self.transport.get_protocol() is not self:
                # It has become a WebSocket.
                if data:
                    cast(asyncio.Protocol, self.transport.get_protocol()).data_received(data)
                return
            if not self._is_in_body and self._head_bytes >= MAX_HEADER_BYTES:
                self._refuse()

    def handle_websocket_upgrade(self) -> None:
        self._stop_timer()
        super().handle_websocket_upgrade()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._is_in_body, self._body_bytes, self._silent_bytes = True, 0, 0
        self._since = self.loop.time()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_in_body, self._head_bytes, self._since = False, 0, None
        super().on_message_complete()

    def _feed(self, piece: bytes) -> None:
        before, was_in_body = self._body_bytes, self._is_in_body
        if not was_in_body:
            self._head_bytes += len(piece)
            if self._since is None:
                self._expect()
        super().data_received(piece)
        if was_in_body and self._is_in_body and self._body_bytes == before:
            # Extensions of chunks and trailing headers are no body.
            self._silent_bytes += len(piece)
            if self._silent_bytes > MAX_HEADER_BYTES:
                self._refuse()

    def _expect(self) -> None:
        self._since = self.loop.time()
        if self._timer is None:
            self._timer = self.loop.call_later(HEADER_TIMEOUT_SECONDS, self._check)

    def _check(self) -> None:
        """Cut a connection whose head or body is overdue; runs while something is expected."""
        self._timer = None
        if self._since is None or self.transport.is_closing():
            return
        overdue_in = self._since + HEADER_TIMEOUT_SECONDS - self.loop.time()
        if self._is_in_body:
            overdue_in += BODY_TIMEOUT_SECONDS - HEADER_TIMEOUT_SECONDS + self._body_bytes / MIN_BODY_RATE
        is_answering = not self._is_in_body and self.cycle is not None and not self.cycle.response_complete
        if overdue_in > 0 or self.flow.read_paused or is_answering:
            self._timer = self.loop.call_later(max(overdue_in, 1.0), self._check)
        else:
            self.transport.abort()

    def _refuse(self) -> None:
        self._is_refused = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        is_answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not is_answering:
            self.transport.write(REFUSAL)
        if self.cycle is not None:
            # What the application still answers goes nowhere.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.abort)

    def _stop_timer(self) -> None:
        self._since = None
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _is_one_too_many(self) -> bool:
        network = _network(self.client)
        if network is None or self.may_open_any_number(self.client[0] if self.client else ""):
            return False
        open_now = sum(1 for each in self.connections if _network(getattr(each, "client", None)) == network)
        return open_now > MAX_CONNECTIONS_PER_ADDRESS


def _network(client: tuple[str, int] | None) -> str | None:
    """Return the address, of IPv6 its first 64 bits; None for a loopback address."""
    try:
        address = ip_address(client[0]) if client else None
    except ValueError:
        return None
    if address is None or address.is_loopback:
        return None
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)
