"""One socket with one private channel by the official client, shared by both transports."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import SecretStr
from realtime import AsyncRealtimeChannel, AsyncRealtimeClient, RealtimeSubscribeStates
from realtime.message import SuccessSystemPayload
from realtime.types import RealtimeChannelOptions
from websockets.exceptions import InvalidStatus

from services.entities import Topic
from services.errors import FeedError, FeedRefused
from services.feed_kind import ClientKind
from services.realtime.transports.client import CLIENTS
from services.realtime.transports.transport import Link

logger = structlog.get_logger(__name__)

JOIN_TIMEOUT_SECONDS = 10.0
CLOSE_TIMEOUT_SECONDS = 2.0
REACHABLE_TIMEOUT_SECONDS = 2.0
NO_DATABASE = "Realtime was unable to connect to the project database"


class LinkOpener:
    """What both transports share: the project's address, and joining one channel there.

    Args:
        url: URL of the Supabase project.
        key: Its anon (publishable) key.
        client: The Realtime client.
    """

    def __init__(self, *, url: str, key: SecretStr, client: ClientKind = ClientKind.QUICK) -> None:
        self._url = url
        self._key = key
        self._client_class = CLIENTS[client]

    async def is_reachable(self) -> bool:
        """See `Transport.is_reachable`."""
        address = urlsplit(self._url)
        port = address.port or (443 if address.scheme == "https" else 80)
        try:
            async with asyncio.timeout(REACHABLE_TIMEOUT_SECONDS):
                _, writer = await asyncio.open_connection(address.hostname, port)
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        return True

    @asynccontextmanager
    async def _open(
        self, topic: Topic, token: SecretStr, *, bind: Callable[[AsyncRealtimeChannel], None], ready: str
    ) -> AsyncIterator[Link]:
        """Join a private channel; see `Transport.open`.

        The client's own reconnection is off, since it gives up after about 15 s; a supervisor takes a fresh client for
        each attempt instead.

        Args:
            topic: The channel.
            token: Access token to join with.
            bind: Registers listeners before the join.
            ready: The system message by which the server says that no further change is missed.
        """
        client = self._client_class(
            f"{self._url.rstrip('/')}/realtime/v1",
            token=self._key.get_secret_value(),
            auto_reconnect=False,
            timeout=int(JOIN_TIMEOUT_SECONDS),
        )
        link = _Link(client)
        try:
            try:
                async with asyncio.timeout(JOIN_TIMEOUT_SECONDS):
                    await client.set_auth(token.get_secret_value())
                    await link.join(topic, bind, ready)
            except TimeoutError as error:
                raise FeedError(f"Realtime did not join {topic} within {JOIN_TIMEOUT_SECONDS:.0f} s.") from error
            except FeedError:
                raise
            except InvalidStatus as error:
                code = error.response.status_code
                refused = code in (401, 403)
                raise (FeedRefused if refused else FeedError)(f"Realtime answered {code} to the connection.") from error
            except Exception as error:
                raise FeedError(f"Realtime cannot be reached: {_reason(error)}.") from error
            yield link
        finally:
            await link.close()


class _Link:
    """One client with one channel, and the future of its end."""

    def __init__(self, client: AsyncRealtimeClient) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client = client
        self._channel: AsyncRealtimeChannel | None = None
        self._watch: asyncio.Task[None] | None = None

    async def join(self, topic: Topic, bind: Callable[[AsyncRealtimeChannel], None], ready: str) -> None:
        is_ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        options: RealtimeChannelOptions = {
            "config": {
                "private": True,
                "broadcast": {"ack": False, "self": False, "replication_ready": True},
                "presence": {"key": "", "enabled": False},
            }
        }

        def on_state(state: RealtimeSubscribeStates, error: Exception | None) -> None:
            if state is not RealtimeSubscribeStates.SUBSCRIBED:
                self._lose(_reason(error) if error else f"the channel is {state.value.lower()}")

        def on_system(payload: SuccessSystemPayload) -> None:
            if payload.message == ready and not is_ready.done():
                is_ready.set_result(None)

        await self._client.connect()
        self._channel = self._client.channel(str(topic), options)
        self._channel.on_system(on_system)
        bind(self._channel)
        # The client does not report that its listener has ended with an error, so the listener itself is watched.
        self._watch = asyncio.create_task(self._watch_listener(), name=f"realtime listener of {topic}")
        await self._channel.subscribe(on_state)
        ends: set[asyncio.Future[Any]] = {is_ready, self.closed}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if self.closed.done() and NO_DATABASE in self.closed.result():
            raise FeedError(f"{NO_DATABASE}.")
        if self.closed.done():
            raise FeedRefused(f"Realtime refused the channel {topic}: {self.closed.result()}.")

    async def set_auth(self, token: SecretStr) -> None:
        await self._client.set_auth(token.get_secret_value())

    async def close(self) -> None:
        self._lose("closed")
        if self._watch:
            self._watch.cancel()
        if self._channel:
            self._channel.rejoin_timer.reset()
            self._channel.join_push.destroy()
            # A pushed token is never acknowledged; the client would wait for that after its end.
            for push in self._channel.messages_waiting_for_ack.values():
                push.destroy()
        socket = self._client._ws_connection
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
                await self._client.close()
        except TimeoutError:
            # A half-open socket never answers the closing handshake that the client's tasks wait for.
            if socket:
                socket.transport.abort()
            for task in (self._client._listen_task, self._client._heartbeat_task):
                if task:
                    task.cancel()
        except Exception as error:
            logger.warning("realtime client did not close cleanly", reason=_reason(error))

    async def _watch_listener(self) -> None:
        listener = self._client._listen_task
        if listener:
            await asyncio.wait({listener})
        self._lose("its socket closed")

    def _lose(self, cause: str) -> None:
        if not self.closed.done():
            self.closed.set_result(cause)


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0] if text else type(error).__name__
