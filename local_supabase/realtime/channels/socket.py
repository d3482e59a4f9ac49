"""A client's socket: decodes its frames, routes them to its channels, and writes outgoing frames."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from local_supabase.auth.keys import Claims
from local_supabase.realtime.channels.channel import TOPIC_PREFIX, Channel, JoinError
from local_supabase.realtime.channels.services import RealtimeServices
from local_supabase.realtime.channels.topics import Listener
from local_supabase.realtime.protocol.frames import (
    Frame,
    JsonObject,
    MalformedFrameError,
    Outgoing,
    Version,
    decode,
    decode_binary,
    reply,
)
from local_supabase.realtime.protocol.wire import WireProtocol

log = structlog.get_logger()

Receive = Callable[[], Awaitable[Any]]


class Socket:
    """Serves one client until it disconnects; frames are processed in order."""

    def __init__(self, wire: WireProtocol, version: Version, claims: Claims, services: RealtimeServices) -> None:
        """Create a socket.

        Args:
            wire: the connection.
            version: the protocol version that the client requested.
            claims: claims of the API key, for channels without a token of their own.
            services: shared services.
        """
        self.wire = wire
        self.claims = claims
        self._version = version
        self._services = services
        self._channels: dict[str, Channel] = {}

    async def run(self, receive: Receive) -> None:
        """Process ASGI messages until the client disconnects; then close its channels."""
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                # JSON can be nested so deeply that it can be decoded but not encoded: ignored like a malformed frame.
                with contextlib.suppress(RecursionError):
                    await self._receive(message)
        finally:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._services.users.discard(self)

    def send(self, message: Outgoing) -> None:
        """Write without waiting; disconnects a client whose send buffer exceeds the limit."""
        if frame := message.wire(self._version):
            self.wire.write_frame(frame, self._services.limits.send_buffer)

    def detach(self, channel: Listener) -> None:
        """Remove a channel that has ended; idempotent."""
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]
            if not self._channels:
                self._services.users.discard(self)

    async def _receive(self, message: Any) -> None:
        try:
            if (text := message.get("text")) is not None:
                frame = decode(text, self._version)
            else:
                frame = decode_binary(message.get("bytes") or b"")
        except MalformedFrameError as error:
            self._refuse_malformed(error)
            return
        if frame.topic == "phoenix":
            if frame.event == "heartbeat":
                self._reply(frame, "ok", {})
        elif frame.event == "phx_join":
            await self._join(frame)
        elif channel := self._channels.get(frame.topic):
            await channel.handle(frame)
        else:
            self._refuse(frame, "unmatched topic")

    async def _join(self, frame: Frame) -> None:
        if not frame.topic.startswith(TOPIC_PREFIX):
            self._refuse(frame, "unmatched topic")
            return
        previous = self._channels.get(frame.topic)
        if previous is None and (reason := self._exceeded_limit()):
            self._refuse(frame, reason)
            return
        channel = Channel(self, frame, self._services)
        try:
            await channel.join(frame.ref)
        except JoinError as error:
            channel.close()
            self._refuse(frame, str(error))
            return
        if previous:
            previous.end()
        self._channels[frame.topic] = channel
        self._services.users.add(self)
        channel.announce()

    def _exceeded_limit(self) -> str | None:
        limits = self._services.limits
        if not self._services.join_rate.acquire():
            return "ClientJoinRateLimitReached: Too many joins per second"
        if len(self._channels) >= limits.channels_per_client:
            return "ChannelRateLimitReached: Too many channels"
        if not self._channels and len(self._services.users) >= limits.connections:
            return "ConnectionRateLimitReached: Too many connected users"
        return None

    def _refuse_malformed(self, error: MalformedFrameError) -> None:
        """Answer a frame whose channel can be told, so that its sender does not wait; log any other."""
        log.debug("ignored a malformed frame", reason=str(error))
        for channel in self._channels.values():
            if error.ref is not None and channel.join_ref == error.join_ref:
                response = {"reason": f"The frame cannot be read: {error}"}
                self.send(reply(channel.topic, "error", response, ref=error.ref, join_ref=error.join_ref))
                return

    def _refuse(self, frame: Frame, reason: str) -> None:
        self._reply(frame, "error", {"reason": reason})

    def _reply(self, frame: Frame, status: str, response: JsonObject) -> None:
        self.send(reply(frame.topic, status, response, ref=frame.ref, join_ref=frame.join_ref))
