"""One client's connection: its frames in, its channels, its frames out."""

from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from services.local_supabase.keys import Claims
from services.local_supabase.realtime.channel import TOPIC_PREFIX, Channel, JoinError, Services
from services.local_supabase.realtime.frames import Frame, JsonObject, MalformedFrameError, Outgoing, Version, compact
from services.local_supabase.realtime.frames import decode as decode_frame
from services.local_supabase.realtime.wire import WireProtocol

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
                if (text := message.get("text")) is not None:
                    await self._receive(text)
        finally:
            for channel in self._channels.values():
                channel.close()
            self._channels.clear()

    def send(self, message: Outgoing) -> None:
        """Write without waiting; a client that does not read is cut at the limit of its buffer."""
        self.wire.write_frame(message.wire(self._version), self._services.limits.send_buffer)

    def forget(self, channel: Channel) -> None:
        if self._channels.get(channel.topic) is channel:
            del self._channels[channel.topic]

    async def _receive(self, text: str) -> None:
        try:
            frame = decode_frame(text, self._version)
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
        limit = self._services.limits.channels_per_client
        if previous is None and len(self._channels) >= limit:
            self._refuse(frame, "ChannelRateLimitReached: Too many channels")
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
        channel.announce()

    def _refuse(self, frame: Frame, reason: str) -> None:
        self._reply(frame, "error", {"reason": reason})

    def _reply(self, frame: Frame, status: str, response: JsonObject) -> None:
        payload = compact({"status": status, "response": response})
        self.send(Outgoing(frame.topic, "phx_reply", payload, ref=frame.ref, join_ref=frame.join_ref))
