"""What keeps a feed connected: join, load, prove, and begin again without end."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import structlog
from pydantic import SecretStr

from services.auth.identity import Identity
from services.entities import ConnectionStatus, Scope
from services.errors import (
    DatabaseUnavailable,
    FeedError,
    FeedRefused,
    LivewatchError,
    PermissionDenied,
    SessionExpired,
)
from services.feed_kind import FeedKind
from services.realtime.source import Source
from services.realtime.stall_timeout import stall_tolerant_timeout
from services.realtime.status import FeedStatus
from services.realtime.transports.transport import Link, Transport

if TYPE_CHECKING:
    from services.realtime.feed import Feed
    from services.realtime.subscription import Subscription

logger = structlog.get_logger(__name__)

BACKOFF_BASE_SECONDS = 0.25
BACKOFF_MAX_SECONDS = 30.0
PROBE_INTERVAL_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 3.0
MAX_HANDOVER_ATTEMPTS = 4
HANDOVER_TIMEOUT_SECONDS = 0.5
RECONCILE_INTERVAL_SECONDS = 60.0
MAINTENANCE_INTERVAL_SECONDS = 5.0
REACHABLE_INTERVAL_SECONDS = 2.0
TOKEN_MARGIN = timedelta(seconds=60)
NO_TOKEN_OWNER = "The session has ended. Sign in again."


class Supervisor:
    """Owns the task and the channel of one feed.

    Join; read a snapshot of each watched table while changes are buffered back; apply those; connected. Whatever ends
    that, begin again after a full-jitter backoff, at most 30 s, without end; a server that was out of reach is tried as
    soon as it can be reached. While connected, a probe through the database proves the whole path every 5 s, and a
    reconcile compares ids and versions every minute.

    The channel runs under the token of one subscription, its token_owner, and goes over to another's when that subscription leaves or
    its token nears the end.
    """

    def __init__(self, feed: "Feed", *, transport: Transport, source: Source, random: Random) -> None:
        self.connections = 0
        self.repaired = 0
        self._feed = feed
        self._transport = transport
        self._source = source
        self._random = random
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()
        self._token_owner: Subscription[Any] | None = None
        self._task = asyncio.create_task(self._run(), name=f"feed of {feed.topic}")

    def wake(self) -> None:
        """The subscriptions changed: look at once at what is to load and whose token to use."""
        self._wake.set()

    def retry(self) -> None:
        """Try again now, if it waits to."""
        self._retry.set()

    async def aclose(self) -> None:
        """Leave the channel and end; idempotent."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        attempt = 0
        while True:
            attempt += 1
            connected_before = self.connections
            status, cause = await self._connect_once(attempt)
            if self.connections > connected_before:
                self._feed.meter.lost()
                attempt = 0
            waiting = self._random.uniform(0.05, min(BACKOFF_MAX_SECONDS, BACKOFF_BASE_SECONDS * 2 ** min(attempt, 10)))
            logger.info("feed lost", topic=str(self._feed.topic), cause=cause, attempt=attempt, retry_in=waiting)
            self._feed.set_status(
                self._status(
                    status, cause=cause, attempt=attempt, retry_at=datetime.now(UTC) + timedelta(seconds=waiting)
                )
            )
            await self._pause(waiting)

    async def _pause(self, waiting: float) -> None:
        """Wait; less when somebody asks for a try, or when a server that nobody could reach can be reached again."""
        clock = asyncio.get_running_loop().time
        ends_at = clock() + waiting
        was_away = waiting > REACHABLE_INTERVAL_SECONDS and not await self._transport.is_reachable()
        self._retry.clear()
        while (remaining := ends_at - clock()) > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    self._retry.wait(), min(remaining, REACHABLE_INTERVAL_SECONDS) if was_away else remaining
                )
                return
            if was_away and await self._transport.is_reachable():
                return

    async def _connect_once(self, attempt: int) -> tuple[ConnectionStatus, str]:
        """Connect and stay connected; returns what ended that, as a status and a sentence."""
        feed = self._feed
        try:
            self._token_owner = await self._await_token_owner()
            token = self._token_owner.session.identity.access_token
            feed.set_status(replace(feed.status, attempt=attempt, retry_at=None))
            feed.buffer_changes()
            async with self._transport.open(feed.topic, token, feed) as link:
                await self._load()
                self.connections += 1
                if feed.topic.scope is Scope.USER:
                    feed.recheck_subscriptions()
                feed.set_status(self._status(ConnectionStatus.CONNECTED, connected_at=datetime.now(UTC)))
                cause = await self._run_connected(link, token)
                # Said before the channel is closed, which takes a while when the other end is silent.
                feed.set_status(self._status(ConnectionStatus.DISCONNECTED, cause=cause))
                return ConnectionStatus.DISCONNECTED, cause
        except PermissionDenied as error:
            feed.recheck_subscriptions()
            return ConnectionStatus.ERROR, str(error)
        except (FeedRefused, SessionExpired) as error:
            return ConnectionStatus.ERROR, str(error)
        except LivewatchError as error:
            return ConnectionStatus.DISCONNECTED, str(error)
        except Exception:
            logger.exception("feed failed", topic=str(feed.topic))
            return ConnectionStatus.ERROR, "The feed failed by itself; the log has the reason."

    async def _run_connected(self, link: Link, token: SecretStr) -> str:
        """Tend a joined channel until it is lost; returns the cause."""
        proof = asyncio.create_task(self._probe_loop(), name=f"probe of {self._feed.topic}")
        clock = asyncio.get_running_loop().time
        reconcile_at = clock() + RECONCILE_INTERVAL_SECONDS
        try:
            while True:
                self._wake.clear()
                token = await self._renew(link, token)
                await self._load()
                if clock() >= reconcile_at:
                    await self._reconcile()
                    reconcile_at = clock() + RECONCILE_INTERVAL_SECONDS
                wake = asyncio.create_task(self._wake.wait(), name=f"wake {self._feed.topic}")
                ends: set[asyncio.Future[Any]] = {link.closed, proof, wake}
                try:
                    await asyncio.wait(ends, timeout=MAINTENANCE_INTERVAL_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    wake.cancel()
                if link.closed.done():
                    return f"Realtime was lost: {link.closed.result()}."
                if proof.done():
                    return proof.result()
        finally:
            proof.cancel()

    async def _await_token_owner(self) -> "Subscription[Any]":
        while (token_owner := self._feed.token_owner()) is None:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)
                continue
            if self._feed.subscriptions and self._feed.status.status is not ConnectionStatus.ERROR:
                self._feed.set_status(self._status(ConnectionStatus.ERROR, cause=NO_TOKEN_OWNER))
        return token_owner

    async def _renew(self, link: Link, token: SecretStr) -> SecretStr:
        """Keep the channel under a token that lasts, of somebody who still holds a subscription."""
        try:
            current = (
                self._token_owner.session.identity
                if self._token_owner in self._feed.subscriptions and self._token_owner
                else None
            )
        except SessionExpired:
            current = None
        if current is None or current.expires_at < datetime.now(UTC) + TOKEN_MARGIN:
            # With nobody left, the feed lingers under the token that it has.
            self._token_owner = self._feed.token_owner() or self._token_owner
            current = self._token_owner.session.identity if self._token_owner else None
        if current is None or current.access_token.get_secret_value() == token.get_secret_value():
            return token
        await link.set_auth(current.access_token)
        if current.user_id != Identity.from_token(token.get_secret_value()).user_id:
            await self._switch_token()
        return current.access_token

    async def _switch_token(self) -> None:
        """The channel went over to another person. With postgres_changes the server sends what the channel's user may
        see, so what was committed since the last one lost that right is missing: read the tables again, once a probe
        shows that the new token counts."""
        if self._transport.kind is FeedKind.BROADCAST:
            return
        for _ in range(MAX_HANDOVER_ATTEMPTS):
            with suppress(TimeoutError):
                await self._probe(HANDOVER_TIMEOUT_SECONDS)
                break
        else:
            raise FeedError("The channel did not go over to another member's token.")
        self._feed.buffer_changes()

    async def _load(self) -> None:
        for table in self._feed.unloaded():
            table.buffer_changes()
            records = await self._source.snapshot(self._identity, table.entity, self._feed.topic)
            self._feed.take_snapshot(table, records)

    async def _reconcile(self) -> None:
        """Find what the server lost silently; what differs is read again, in full, as on a rejoin."""
        for table in self._feed.loaded():
            versions = await self._source.versions(self._identity, table.entity, self._feed.topic)
            if versions != table.rows.versions():
                table.buffer_changes()
                records = await self._source.snapshot(self._identity, table.entity, self._feed.topic)
                repaired = self._feed.take_snapshot(table, records)
                self.repaired += repaired
                logger.info("feed reconciled", topic=str(self._feed.topic), table=table.entity.table, rows=repaired)

    async def _probe_loop(self) -> str:
        """Send probes while they come back; returns the cause when one does not."""
        while True:
            try:
                lag = await self._probe(PROBE_TIMEOUT_SECONDS)
            except TimeoutError:
                self._feed.meter.missed()
                return f"A probe did not come back within {PROBE_TIMEOUT_SECONDS:.0f} s."
            except (DatabaseUnavailable, PermissionDenied, FeedError, SessionExpired) as error:
                return str(error)
            meter = self._feed.meter
            meter.proved(lag)
            self._feed.set_status(replace(self._feed.status, lag=lag, last_event_at=meter.last_event_at))
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async def _probe(self, within: float) -> float:
        """Seconds from the database and back; raises TimeoutError when it takes longer than `within`."""
        loop = asyncio.get_running_loop()
        nonce = uuid4()
        waiting = self._feed.expect_probe(nonce)
        sent = loop.time()
        try:
            async with stall_tolerant_timeout(within):
                await self._source.probe(self._identity, self._feed.topic, nonce, self._transport.kind)
                await waiting
        finally:
            waiting.cancel()
        return loop.time() - sent

    def _status(self, status: ConnectionStatus, **details: Any) -> FeedStatus:
        return FeedStatus(
            status=status,
            last_event_at=self._feed.meter.last_event_at,
            missed_probes=self._feed.meter.missed_probes,
            **details,
        )

    @property
    def _identity(self) -> Identity:
        if self._token_owner is None:
            raise SessionExpired("Nobody watches this feed.")
        return self._token_owner.session.identity
