"""One client's connection: its frames in, its channels, its frames out."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from local_supabase.auth.keys import Claims
from local_supabase.http.json_text import compact
from local_supabase.realtime.channels.channel import TOPIC_PREFIX, Channel, JoinError, Services
from local_supabase.realtime.protocol.frames import (
    Frame,
    JsonObject,
    MalformedFrameError,
    Outgoing,
    Version,
    decode_binary,
)
from local_supabase.realtime.protocol.frames import decode as decode_frame
from local_supabase.realtime.protocol.wire import WireProtocol

log = structlog.get_logger()

Receive = Callable[[], Awaitable[Any]]


class Socket:
    """Serves one client until it goes; frames are handled one after the other."""

    def __init__(self, wire: WireProtocol, version: Version, claims: Claims, services: Services) -> None:
        """`claims` are the API key's: those of channels that bring no token of their own."""
        self.wire = wire
        self.claims = claims
        self._version = version
        self._services = services
        self._channels: dict[str, Channel] = {}

    async def run(self, receive: Receive) -> None:
        """Handle frames until the client disconnects; then leave all channels."""
        try:
            while True:
                message = await receive()
                if message["type"] == "websocket.disconnect":
                    return
                # A payload so deep that it can be read but not written again is as good as malformed.
                with contextlib.suppress(RecursionError):
                    await self._receive(message)
        finally:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()
            self._services.users.discard(self)

    def send(self, message: Outgoing) -> None:
        """Write without waiting; a client that does not read is cut at the limit of its buffer."""
        if frame := message.wire(self._version):
            self.wire.write_frame(frame, self._services.limits.send_buffer)

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]
            if not self._channels:
                self._services.users.discard(self)

    async def _receive(self, message: Any) -> None:
        try:
            if (text := message.get("text")) is not None:
                frame = decode_frame(text, self._version)
            else:
                frame = decode_binary(message.get("bytes") or b"")
        except MalformedFrameError as error:
            log.debug("ignored a malformed frame", reason=str(error))
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
        if previous is None and (reason := self._over_limit()):
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

    def _over_limit(self) -> str | None:
        limits = self._services.limits
        if not self._services.join_rate.count():
            return "ClientJoinRateLimitReached: Too many joins per second"
        if len(self._channels) >= limits.channels_per_client:
            return "ChannelRateLimitReached: Too many channels"
        if not self._channels and len(self._services.users) >= limits.connections:
            return "ConnectionRateLimitReached: Too many connected users"
        return None

    def _refuse(self, frame: Frame, reason: str) -> None:
        self._reply(frame, "error", {"reason": reason})

    def _reply(self, frame: Frame, status: str, response: JsonObject) -> None:
        payload = compact({"status": status, "response": response})
        self.send(Outgoing(frame.topic, "phx_reply", payload, ref=frame.ref, join_ref=frame.join_ref))
