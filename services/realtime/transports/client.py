"""The official Realtime client, and one with a message loop of its own that costs a tenth for each broadcast.

The official loop validates every message against the union of all types, and formats it three times for debug lines,
printed or not. Both run the same channels, timers and handshakes.
"""

from typing import Any, cast

import structlog
from pydantic import ValidationError
from pydantic_core import from_json
from realtime import AsyncRealtimeClient
from realtime.message import ServerMessageAdapter
from realtime.types import BroadcastPayload
from websockets.exceptions import ConnectionClosed

from services.feed_kind import ClientKind

logger = structlog.get_logger(__name__)

BROADCAST = "broadcast"


class QuickRealtimeClient(AsyncRealtimeClient):
    """Recognises broadcasts before validation; treats any other message as the official client does."""

    async def _on_connect(self) -> None:
        if self._ws_connection is not None:
            # The pong to a keepalive ping waits behind a backlog of changes; the feed's probes tell that from a loss.
            self._ws_connection.ping_timeout = None
        await super()._on_connect()

    async def _listen(self) -> None:
        connection = self._ws_connection
        if connection is None:
            return
        cause: ConnectionClosed | None = None
        try:
            while True:
                self._receive(await connection.recv())
        except ConnectionClosed as error:
            cause = error
        if self._ws_connection is connection:
            self._ws_connection = None
            self._set_channels_errored(cause)

    def _receive(self, text: str | bytes) -> None:
        try:
            message = from_json(text)
        except ValueError:
            logger.error("Realtime sent no JSON", length=len(text))
            return
        broadcast = _broadcast_of(message)
        if broadcast is not None:
            if channel := self.channels.get(message["topic"]):
                for callback in channel.broadcast_callbacks:
                    callback(broadcast)
            return
        try:
            known = ServerMessageAdapter.validate_json(text)
        except ValidationError as error:
            logger.error("Realtime sent an unknown message", errors=error.error_count(), length=len(text))
            return
        if channel := self.channels.get(known.topic):
            channel._handle_message(known)


def _broadcast_of(message: Any) -> BroadcastPayload | None:
    """Return the payload of a broadcast as the official client's validation accepts it; None for any other message."""
    if not isinstance(message, dict) or message.get("event") != BROADCAST or message.get("ref") is not None:
        return None
    payload = message.get("payload")
    if (
        isinstance(payload, dict)
        and isinstance(message.get("topic"), str)
        and isinstance(payload.get("event"), str)
        and isinstance(payload.get("payload"), dict)
    ):
        return cast(BroadcastPayload, payload)
    return None


CLIENTS: dict[ClientKind, type[AsyncRealtimeClient]] = {
    ClientKind.QUICK: QuickRealtimeClient,
    ClientKind.OFFICIAL: AsyncRealtimeClient,
}
