"""One topic that one client has joined: its rights, its token's life, and what it sends and receives."""

import asyncio
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_supabase.auth.keys import Claims, Verifier
from local_supabase.errors import ChangesError, TokenError
from local_supabase.http.json_text import compact
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes.bindings import numbered
from local_supabase.realtime.changes.table_changes import Subscription, TableChanges
from local_supabase.realtime.channels.authorization import (
    Authorization,
    AuthorizationError,
    NoDatabaseError,
    Permissions,
)
from local_supabase.realtime.channels.broadcasts import DatabaseBroadcasts
from local_supabase.realtime.channels.presence import Presence
from local_supabase.realtime.channels.replay import ReplayError, replay
from local_supabase.realtime.channels.topics import Topics
from local_supabase.realtime.protocol.frames import Frame, JsonObject, Outgoing
from local_supabase.realtime.protocol.join_config import JoinConfig, as_object
from local_supabase.realtime.protocol.limits import Limits, Rate, Window

TOPIC_PREFIX = "realtime:"
READY_TIMEOUT = 30.0
# Keys of the hosted platform (publishable, secret) stand for the socket's own token.
API_KEY_PREFIX = "sb_"


class JoinError(Exception):
    """The channel cannot be joined; the text is the `reason` of the reply."""


class Client(Protocol):
    """The socket, as a channel sees it."""

    claims: Claims

    def send(self, message: Outgoing) -> None: ...
    def forget(self, channel: "Channel") -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all channels of the server share."""

    verifier: Verifier
    topics: Topics
    authorization: Authorization
    broadcasts: DatabaseBroadcasts
    changes: TableChanges
    presence: Presence
    pool: Pool
    limits: Limits
    message_rate: Rate
    join_rate: Rate
    users: set[Client] = field(default_factory=set)


class Channel:
    """Joined with `join`, left with `close`; both on the event loop, `close` is idempotent."""

    def __init__(self, client: Client, frame: Frame, services: Services) -> None:
        self.topic = frame.topic
        self.name = frame.topic.removeprefix(TOPIC_PREFIX)
        self.join_ref = frame.join_ref
        self._client = client
        self._services = services
        self._config = JoinConfig.of(frame.payload)
        self.private = self._config.private
        self._token = frame.payload.get("access_token")
        self._claims = client.claims
        self._may_read = Permissions(broadcast=True, presence=True)
        self._may_write: Permissions | None = None
        self._replayed: list[Outgoing] = []
        self._presence_calls = Window(
            services.limits.presence_calls, services.limits.presence_window, asyncio.get_running_loop().time
        )
        self.sees_presence = False
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self._subscribing = asyncio.Lock()
        self._closed = False

    async def join(self, ref: str | None) -> None:
        """Check token and rights, reply, and start to receive. Raises JoinError."""
        if not self.name:
            raise JoinError("TopicNameRequired: You must provide a topic name")
        try:
            self._claims = self._claims_of(self._token)
        except TokenError as error:
            raise JoinError(f"{error.code}: {error}") from error
        if self.private:
            await self._authorise()
        if self._config.replay is not None:
            try:
                self._replayed = await replay(self._services.pool, self.name, self._config.replay, private=self.private)
            except ReplayError as error:
                raise JoinError(str(error)) from error
        self._expire_with(self._claims)
        self._services.topics.add(self)
        self._reply(ref, "ok", {"postgres_changes": [numbered(binding) for binding in self._config.bindings]})

    def announce(self) -> None:
        """Send what follows the reply to a join."""
        if self._config.replication_ready:
            if self._services.broadcasts.ready.is_set():
                self.system("Replication connection established")
            else:
                self._start(self._announce_when_ready())
        if self._config.presence:
            self._show_presence()
        for message in self._replayed:
            self.deliver(message)
        self._replayed = []
        if self._config.bindings:
            self._start(self._subscribe())

    async def handle(self, frame: Frame) -> None:
        """Act on a frame of the client; unknown events are ignored, as hosted."""
        match frame.event:
            case "broadcast":
                await self._broadcast(frame)
            case "presence":
                await self._handle_presence(frame)
            case "access_token":
                await self._renew(frame.payload.get("access_token"))
            case "phx_leave" if frame.join_ref in (None, self.join_ref):
                self._reply(frame.ref, "ok", {})
                self.end()

    def deliver(self, message: Outgoing) -> None:
        self._client.send(message)

    def system(self, message: str, *, status: str = "ok", extension: str = "system") -> None:
        payload = {"message": message, "status": status, "extension": extension, "channel": self.name}
        self._push("system", payload)

    def end(self, reason: str | None = None) -> None:
        """Tell the client that the channel is over, with a reason when it is the server's decision."""
        if self._closed:
            return
        if reason is not None:
            self.system(reason, status="error")
        self.close()
        self._client.send(Outgoing(self.topic, "phx_close", "{}", ref=self.join_ref, join_ref=self.join_ref))
        self._client.forget(self)

    def close(self) -> None:
        """Stop receiving, silently."""
        self._closed = True
        self._services.topics.remove(self)
        self._services.presence.untrack(self)
        if self._expiry:
            self._expiry.cancel()
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()

    async def _broadcast(self, frame: Frame) -> None:
        if not self._services.message_rate.count():
            self.end("Too many messages per second")
            return
        body = {"event": frame.payload.get("event"), "payload": frame.payload.get("payload", {}), "type": "broadcast"}
        message = Outgoing(self.topic, "broadcast", compact(body), packed=frame.packed)
        if len(message.payload) > self._services.limits.payload:
            if self._config.ack:
                self._reply(frame.ref, "error", {"reason": "Payload size exceeded"})
            return
        if not (await self._writable()).broadcast:
            return
        self._services.topics.publish(self.name, self.private, message, but=None if self._config.to_self else self)
        if self._config.ack:
            self._reply(frame.ref, "ok", {})

    async def _handle_presence(self, frame: Frame) -> None:
        if not self._presence_calls.count():
            self.end("Client presence rate limit exceeded")
            return
        if not (await self._writable()).presence:
            self._reply(frame.ref, "error", {})
            return
        if not self.sees_presence:
            self._show_presence()
        self._reply(frame.ref, "ok", {})
        match frame.payload.get("event"):
            case "track":
                self._services.presence.track(self, self._config.presence_key, as_object(frame.payload.get("payload")))
            case "untrack":
                self._services.presence.untrack(self)

    def _show_presence(self) -> None:
        if self._may_read.presence:
            self.sees_presence = True
            self._push("presence_state", self._services.presence.state(self.name, self.private))

    async def _writable(self) -> Permissions:
        if not self.private:
            return Permissions(broadcast=True, presence=True)
        if self._may_write is None:
            try:
                self._may_write = await self._services.authorization.write(self._claims, self.name)
            except AuthorizationError:
                return Permissions(broadcast=False, presence=False)
        return self._may_write

    async def _renew(self, token: Any) -> None:
        if token is None or token == self._token:
            return
        try:
            claims = self._claims_of(token)
        except TokenError as error:
            self.end(":signature_error" if error.code == "JwtSignatureError" else str(error))
            return
        self._token, self._claims, self._may_write = token, claims, None
        if self.private:
            try:
                await self._authorise()
            except JoinError as error:
                self.end(str(error).removeprefix("Unauthorized: "))
                return
        self._expire_with(claims)
        if self._config.bindings:
            self._start(self._subscribe())

    async def _subscribe(self) -> None:
        """Subscribe to table changes under the current token, and tell the client how that went.

        What was subscribed under an earlier token goes on until the new one counts, so that nothing falls between.
        """
        async with self._subscribing:
            try:
                renewed = await self._services.changes.subscribe(
                    self.topic, self._config.bindings, self._claims, self._deliver_change
                )
            except ChangesError as error:
                self._unsubscribe()
                self.system(str(error), status="error", extension="postgres_changes")
            else:
                self._unsubscribe()
                self._subscription = renewed
                self.system("Subscribed to PostgreSQL", extension="postgres_changes")

    def _unsubscribe(self) -> None:
        if self._subscription:
            self._services.changes.unsubscribe(self._subscription)
            self._subscription = None

    def _deliver_change(self, message: Outgoing) -> None:
        if not self._closed:
            self._client.send(message)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"channel {self.topic}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _authorise(self) -> None:
        try:
            allowed = await self._services.authorization.read(self._claims, self.name)
        except NoDatabaseError as error:
            raise JoinError(f"UnableToConnectToProject: {error}") from error
        except AuthorizationError as error:
            raise JoinError(f"Unauthorized: {error}") from error
        if not allowed.broadcast:
            raise JoinError(f"Unauthorized: You do not have permissions to read from this Channel topic: {self.name}")
        self._may_read = allowed

    def _claims_of(self, token: Any) -> Claims:
        if token is None or (isinstance(token, str) and token.startswith(API_KEY_PREFIX)):
            return self._client.claims
        if not isinstance(token, str):
            raise TokenError("MalformedJWT", "The token provided is not a valid JWT")
        return self._services.verifier.verify(token)

    def _expire_with(self, claims: Claims) -> None:
        if self._expiry:
            self._expiry.cancel()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(max(0.0, claims["exp"] - time.time()), self._expired)

    def _expired(self) -> None:
        self.end(f"Token has expired {max(0, int(time.time() - self._claims['exp']))} seconds ago")

    async def _announce_when_ready(self) -> None:
        async with asyncio.timeout(READY_TIMEOUT):
            await self._services.broadcasts.ready.wait()
        self.system("Replication connection established")

    def _reply(self, ref: str | None, status: str, response: JsonObject) -> None:
        payload = compact({"status": status, "response": response})
        self._client.send(Outgoing(self.topic, "phx_reply", payload, ref=ref, join_ref=self.join_ref))

    def _push(self, event: str, payload: JsonObject) -> None:
        self._client.send(Outgoing(self.topic, event, compact(payload), join_ref=self.join_ref))
