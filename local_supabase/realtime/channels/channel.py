"""A channel: one topic joined by one client, with its permissions, token lifetime and messages."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from local_supabase.auth.keys import Claims
from local_supabase.errors import ChangesError, TokenError
from local_supabase.realtime.changes.bindings import with_id
from local_supabase.realtime.changes.subscription import Subscription
from local_supabase.realtime.channels.authorization import (
    ALL_ALLOWED,
    NONE_ALLOWED,
    AuthorizationError,
    DatabaseUnavailableError,
    Permissions,
)
from local_supabase.realtime.channels.replay import ReplayError, replay
from local_supabase.realtime.channels.services import Client, RealtimeServices
from local_supabase.realtime.protocol.frames import Frame, JsonObject, Outgoing, reply
from local_supabase.realtime.protocol.join_config import JoinConfig, as_object
from local_supabase.web.json_text import compact
from local_supabase.web.rate_limiter import RateLimiter

TOPIC_PREFIX = "realtime:"
READY_TIMEOUT_SECONDS = 30.0
PERSIST_NOT_SUPPORTED = "Stored broadcasts (`persist`) are not supported: call realtime.send in the database"
# Publishable and secret keys of the hosted platform stand for the socket's own claims.
API_KEY_PREFIX = "sb_"


class JoinError(Exception):
    """The join is refused; the message is the `reason` of the reply."""


class Channel:
    """Joins with `join`, leaves with `close`; both run on the event loop."""

    def __init__(self, client: Client, frame: Frame, services: RealtimeServices) -> None:
        """Create an unjoined channel from a `phx_join` frame."""
        self.topic = frame.topic
        self.name = frame.topic.removeprefix(TOPIC_PREFIX)
        self.join_ref = frame.join_ref
        self._client = client
        self._services = services
        self._config = JoinConfig.parse(frame.payload)
        self.private = self._config.private
        self.sees_presence = False
        self._token = frame.payload.get("access_token")
        self._claims = client.claims
        self._read_permissions = ALL_ALLOWED
        self._write_permissions: Permissions | None = None
        self._replayed: list[Outgoing] = []
        self._presence_calls = RateLimiter(
            services.limits.presence_calls, services.limits.presence_window, asyncio.get_running_loop().time
        )
        self._expiry: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        self._subscribing = asyncio.Lock()
        self._closed = False

    async def join(self, ref: str | None) -> None:
        """Check token and permissions, reply and start to receive.

        Raises:
            JoinError: the join is refused.
        """
        if not self.name:
            raise JoinError("TopicNameRequired: You must provide a topic name")
        try:
            self._claims = self._verify(self._token)
        except TokenError as error:
            raise JoinError(f"{error.code}: {error}") from error
        if self.private:
            await self._authorize()
        if self._config.replay is not None:
            try:
                self._replayed = await replay(self._services.pool, self.name, self._config.replay, private=self.private)
            except ReplayError as error:
                raise JoinError(str(error)) from error
        self._schedule_expiry(self._claims)
        self._services.topics.add(self)
        self._reply(ref, "ok", {"postgres_changes": [with_id(binding) for binding in self._config.bindings]})

    def announce(self) -> None:
        """Send what follows the reply to a join: readiness, presence, replayed messages, subscription result."""
        if self._config.replication_ready:
            if self._services.broadcasts.ready.is_set():
                self._system("Replication connection established")
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
        """Process a frame of the client; unknown events are ignored, as in hosted Realtime."""
        match frame.event:
            case "broadcast":
                await self._broadcast(frame)
            case "presence":
                await self._handle_presence(frame)
            case "access_token":
                await self._renew_token(frame.payload.get("access_token"))
            case "phx_leave" if frame.join_ref in (None, self.join_ref):
                self._reply(frame.ref, "ok", {})
                self.end()

    def deliver(self, message: Outgoing) -> None:
        """Send a message to the client."""
        self._client.send(message)

    def end(self, reason: str | None = None) -> None:
        """Close the channel and notify the client, with a reason if the server decided it; idempotent."""
        if self._closed:
            return
        if reason is not None:
            self._system(reason, status="error")
        self.close()
        self._client.send(Outgoing(self.topic, "phx_close", "{}", ref=self.join_ref, join_ref=self.join_ref))
        self._client.detach(self)

    def close(self) -> None:
        """Stop receiving without notifying the client; idempotent."""
        self._closed = True
        self._services.topics.remove(self)
        self._services.presence.untrack(self)
        if self._expiry:
            self._expiry.cancel()
        self._unsubscribe()
        for task in self._tasks:
            task.cancel()

    async def _broadcast(self, frame: Frame) -> None:
        if not self._services.message_rate.acquire():
            self.end("Too many messages per second")
            return
        if "persist" in as_object(frame.payload.get("metadata")):
            self._reply(frame.ref, "error", {"reason": PERSIST_NOT_SUPPORTED})
            return
        body = {"event": frame.payload.get("event"), "payload": frame.payload.get("payload", {}), "type": "broadcast"}
        message = Outgoing(self.topic, "broadcast", compact(body), binary=frame.binary)
        if len(message.payload) > self._services.limits.payload:
            if self._config.ack:
                self._reply(frame.ref, "error", {"reason": "Payload size exceeded"})
            return
        if not (await self._writable()).broadcast:
            return
        exclude = None if self._config.to_self else self
        self._services.topics.publish(self.name, self.private, message, exclude=exclude)
        if self._config.ack:
            self._reply(frame.ref, "ok", {})

    async def _handle_presence(self, frame: Frame) -> None:
        if not self._presence_calls.acquire():
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
        if self._read_permissions.presence:
            self.sees_presence = True
            self._push("presence_state", self._services.presence.state(self.name, self.private))

    async def _writable(self) -> Permissions:
        if not self.private:
            return ALL_ALLOWED
        if self._write_permissions is None:
            try:
                self._write_permissions = await self._services.authorization.write(self._claims, self.name)
            except AuthorizationError:
                return NONE_ALLOWED
        return self._write_permissions

    async def _renew_token(self, token: Any) -> None:
        if token is None or token == self._token:
            return
        try:
            claims = self._verify(token)
        except TokenError as error:
            self.end(":signature_error" if error.code == "JwtSignatureError" else str(error))
            return
        self._token, self._claims, self._write_permissions = token, claims, None
        if self.private:
            try:
                await self._authorize()
            except JoinError as error:
                self.end(str(error).removeprefix("Unauthorized: "))
                return
        self._schedule_expiry(claims)
        if self._config.bindings:
            self._start(self._subscribe())

    async def _subscribe(self) -> None:
        """Subscribe to table changes with the current token and send the result.

        A subscription with an earlier token continues until the new one is in place, so that no change is missed.
        """
        async with self._subscribing:
            try:
                renewed = await self._services.changes.subscribe(
                    self.topic, self._config.bindings, self._claims, self._deliver_change
                )
            except ChangesError as error:
                self._unsubscribe()
                self._system(str(error), status="error", extension="postgres_changes")
            else:
                self._unsubscribe()
                self._subscription = renewed
                self._system("Subscribed to PostgreSQL", extension="postgres_changes")

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

    async def _authorize(self) -> None:
        """Evaluate the read permissions; raises JoinError if they do not include broadcasts."""
        try:
            allowed = await self._services.authorization.read(self._claims, self.name)
        except DatabaseUnavailableError as error:
            raise JoinError(f"UnableToConnectToProject: {error}") from error
        except AuthorizationError as error:
            raise JoinError(f"Unauthorized: {error}") from error
        if not allowed.broadcast:
            raise JoinError(f"Unauthorized: You do not have permissions to read from this Channel topic: {self.name}")
        self._read_permissions = allowed

    def _verify(self, token: Any) -> Claims:
        if token is None or (isinstance(token, str) and token.startswith(API_KEY_PREFIX)):
            return self._client.claims
        if not isinstance(token, str):
            raise TokenError("MalformedJWT", "The token provided is not a valid JWT")
        return self._services.verifier.verify(token)

    def _schedule_expiry(self, claims: Claims) -> None:
        if self._expiry:
            self._expiry.cancel()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(max(0.0, claims["exp"] - time.time()), self._expire)

    def _expire(self) -> None:
        self.end(f"Token has expired {max(0, int(time.time() - self._claims['exp']))} seconds ago")

    async def _announce_when_ready(self) -> None:
        async with asyncio.timeout(READY_TIMEOUT_SECONDS):
            await self._services.broadcasts.ready.wait()
        self._system("Replication connection established")

    def _system(self, message: str, *, status: str = "ok", extension: str = "system") -> None:
        self._push("system", {"message": message, "status": status, "extension": extension, "channel": self.name})

    def _reply(self, ref: str | None, status: str, response: JsonObject) -> None:
        self._client.send(reply(self.topic, status, response, ref=ref, join_ref=self.join_ref))

    def _push(self, event: str, payload: JsonObject) -> None:
        self._client.send(Outgoing(self.topic, event, compact(payload), join_ref=self.join_ref))
