"""Keeps a feed connected: join, load, probe, reconcile, and start again after any failure."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import structlog
from pydantic import SecretStr

from services.auth.identity import Identity
from services.entities import ConnectionStatus, Scope
from services.errors import (
    FeedError,
    FeedRefused,
    LivewatchError,
    PermissionDenied,
    SessionExpired,
)
from services.feed_kind import FeedKind
from services.infra.backoff import Backoff
from services.infra.logging import create_shared_task
from services.realtime.feed import Feed
from services.realtime.source import Source
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from services.realtime.supervision.counting import GroupCounter
from services.realtime.supervision.loading import Loader
from services.realtime.supervision.probe import Prober, ignore_failure
from services.realtime.transports.transport import Link, Transport

logger = structlog.get_logger(__name__)

BACKOFF_BASE_SECONDS = 0.25
BACKOFF_MAX_SECONDS = 30.0
MAX_HANDOVER_ATTEMPTS = 4
HANDOVER_TIMEOUT_SECONDS = 0.5
RECONCILE_INTERVAL_SECONDS = 60.0
MAINTENANCE_INTERVAL_SECONDS = 5.0
REACHABLE_INTERVAL_SECONDS = 2.0
TOKEN_OWNER_INTERVAL_SECONDS = 1.0
TOKEN_MARGIN = timedelta(seconds=60)
READ_TIMEOUT_SECONDS = 30.0
"""Seconds after which a read counts as unanswered; PostgreSQL's own time limit of a statement is shorter."""
NO_ANSWER = f"PostgreSQL did not answer a read within {READ_TIMEOUT_SECONDS:.0f} s."
NO_TOKEN_OWNER = "The session has ended. Sign in again."


class Supervisor:
    """Owns the task and the channel of one feed.

    Joins the channel, reads a snapshot of each subscribed table while changes are buffered, applies the buffer, and is
    connected. After any failure it starts again with full-jitter backoff of at most 30 s, without giving up; a server
    that was unreachable is retried as soon as it is reachable. While connected, a probe through the database checks the
    whole path every 5 s, and a reconcile compares ids and versions every minute.

    The channel runs under the access token of one subscription, the token owner. It switches to another owner's token
    when that subscription ends or its token is about to expire. Close with `aclose`.
    """

    def __init__(self, feed: Feed, *, transport: Transport, source: Source, random: Random) -> None:
        self.feed = feed
        feed.on_wake = self.wake
        self._transport = transport
        self._source = source
        self._backoff = Backoff(base=BACKOFF_BASE_SECONDS, maximum=BACKOFF_MAX_SECONDS, random=random)
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()
        self._loader = Loader(feed, source, lambda: self._identity)
        self._token_owner: Subscription[Any] | None = None
        self._task = create_shared_task(self._run(), name=f"feed of {feed.topic}")

    def wake(self) -> None:
        """Check now which tables need a snapshot and whose token to use: the subscriptions have changed."""
        self._wake.set()

    def retry(self) -> None:
        """Try again now instead of waiting for the backoff."""
        self._retry.set()

    async def aclose(self) -> None:
        """Leave the channel and end; idempotent."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _run(self) -> None:
        while True:
            connections = self.feed.meter.connections
            status, cause = await self._connect_once()
            if self.feed.meter.connections > connections:
                self.feed.meter.record_loss()
                self._backoff.reset()
            else:
                self._backoff.record_failure()
            delay = self._backoff.delay()
            attempt = self._backoff.attempt
            logger.info("feed lost", topic=str(self.feed.topic), cause=cause, attempt=attempt, retry_in=delay)
            retry_at = datetime.now(UTC) + timedelta(seconds=delay)
            self.feed.set_status(self._status(status, cause=cause, attempt=attempt, retry_at=retry_at))
            await self._sleep(delay)

    async def _sleep(self, delay: float) -> None:
        """Sleep for the backoff; return early on `retry()` or when Realtime or PostgreSQL becomes reachable."""
        clock = asyncio.get_running_loop().time
        ends_at = clock() + delay
        was_away = delay > REACHABLE_INTERVAL_SECONDS and not await self._is_reachable()
        self._retry.clear()
        while (remaining := ends_at - clock()) > 0:
            step = min(remaining, REACHABLE_INTERVAL_SECONDS) if was_away else remaining
            with suppress(TimeoutError):
                await asyncio.wait_for(self._retry.wait(), step)
                return
            if was_away and await self._is_reachable():
                return

    async def _is_reachable(self) -> bool:
        """Whether both Realtime and PostgreSQL answer: a feed needs both, and either may be what was away."""
        return all(await asyncio.gather(self._transport.is_reachable(), self._source.is_reachable()))

    async def _connect_once(self) -> tuple[ConnectionStatus, str]:
        """Connect and stay connected; returns the status and the cause of the end."""
        feed = self.feed
        try:
            self._token_owner = await self._await_token_owner()
            token = self._token_owner.session.identity.access_token
            feed.set_status(replace(feed.status, attempt=self._backoff.attempt + 1, retry_at=None))
            feed.buffer_changes()
            async with self._transport.open(feed.topic, token, feed) as link:
                loading = asyncio.create_task(self._loader.load(), name=f"first load of {feed.topic}")
                await _first_of(loading, link.closed, within=READ_TIMEOUT_SECONDS)
                if not loading.done():
                    cause = f"Realtime was lost: {link.closed.result()}." if link.closed.done() else NO_ANSWER
                    return ConnectionStatus.DISCONNECTED, cause
                loading.result()
                feed.meter.connections += 1
                if feed.topic.scope is Scope.USER:
                    feed.recheck_subscriptions()
                feed.set_status(self._status(ConnectionStatus.CONNECTED, connected_at=datetime.now(UTC)))
                cause = await self._run_connected(link, token)
                # Closing the channel takes seconds when the server is silent, so the status comes first.
                feed.set_status(self._status(ConnectionStatus.DISCONNECTED, cause=cause))
                return ConnectionStatus.DISCONNECTED, cause
        except PermissionDenied as error:
            feed.recheck_subscriptions()
            return ConnectionStatus.ERROR, str(error)
        except (FeedRefused, SessionExpired) as error:
            return ConnectionStatus.ERROR, str(error)
        except LivewatchError as error:
            return ConnectionStatus.DISCONNECTED, str(error)
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and self._task.cancelling():
                raise
            logger.exception("feed failed", topic=str(feed.topic))
            return ConnectionStatus.ERROR, "The feed failed; the log has the reason."

    async def _run_connected(self, link: Link, token: SecretStr) -> str:
        """Maintain a joined channel until it is lost; returns the cause."""
        prober = self._prober()
        probes = asyncio.create_task(prober.run(), name=f"probes of {self.feed.topic}")
        counter = GroupCounter(self.feed, self._source, lambda: self._identity)
        counts = asyncio.create_task(counter.run(), name=f"counts of {self.feed.topic}")
        clock = asyncio.get_running_loop().time
        reconcile_at = clock() + RECONCILE_INTERVAL_SECONDS

        def cause() -> str | None:
            if link.closed.done():
                return f"Realtime was lost: {link.closed.result()}."
            return probes.result() if probes.done() else None

        try:
            while True:
                self._wake.clear()
                is_due = clock() >= reconcile_at
                reconcile_at = clock() + RECONCILE_INTERVAL_SECONDS if is_due else reconcile_at
                # A read that hangs must not hide that the channel or the path of the probes is lost.
                work = asyncio.create_task(
                    self._maintain(link, token, reconciles=is_due), name=f"upkeep of {self.feed.topic}"
                )
                await _first_of(work, link.closed, probes, within=READ_TIMEOUT_SECONDS)
                if (lost := cause()) is not None:
                    return lost
                if not work.done():
                    return NO_ANSWER
                token = work.result()
                wake = asyncio.create_task(self._wake.wait(), name=f"wake {self.feed.topic}")
                await _first_of(wake, link.closed, probes, within=MAINTENANCE_INTERVAL_SECONDS)
                if (lost := cause()) is not None:
                    return lost
        finally:
            probes.cancel()
            counts.cancel()

    async def _maintain(self, link: Link, token: SecretStr, *, reconciles: bool) -> SecretStr:
        """Renew the token, load what has to be loaded, and compare with the database; returns the token in use."""
        token = await self._renew_token(link, token)
        await self._loader.load()
        if reconciles:
            await self._loader.reconcile()
        return token

    async def _await_token_owner(self) -> Subscription[Any]:
        while (token_owner := self.feed.token_owner()) is None:
            self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TOKEN_OWNER_INTERVAL_SECONDS)
                continue
            if self.feed.subscriptions and self.feed.status.status is not ConnectionStatus.ERROR:
                self.feed.set_status(self._status(ConnectionStatus.ERROR, cause=NO_TOKEN_OWNER))
        return token_owner

    async def _renew_token(self, link: Link, token: SecretStr) -> SecretStr:
        """Keep the channel under a valid token of a current subscriber; returns the token in use."""
        owner = self._token_owner
        try:
            current = owner.session.identity if owner and owner in self.feed.subscriptions else None
        except SessionExpired:
            current = None
        if current is None or current.expires_at < datetime.now(UTC) + TOKEN_MARGIN:
            # Without any subscriber the feed lingers under the token that it has.
            self._token_owner = self.feed.token_owner() or owner
            current = self._token_owner.session.identity if self._token_owner else None
        if current is None or current.access_token.get_secret_value() == token.get_secret_value():
            return token
        await link.set_auth(current.access_token)
        if current.user_id != Identity.from_token(token.get_secret_value()).user_id:
            await self._switch_token()
        return current.access_token

    async def _switch_token(self) -> None:
        """Read the tables again after the channel has switched to another person's token.

        With postgres_changes the server sends what the channel's user may see. Changes committed since the previous
        user lost access are missing, so once a probe shows that the new token is in effect, the tables are reloaded.
        """
        if self._transport.kind is FeedKind.BROADCAST:
            return
        for _ in range(MAX_HANDOVER_ATTEMPTS):
            with suppress(TimeoutError):
                await self._prober().probe(HANDOVER_TIMEOUT_SECONDS)
                break
        else:
            raise FeedError("The channel did not switch to another member's token.")
        self.feed.buffer_changes()

    def _prober(self) -> Prober:
        return Prober(self.feed, self._source, kind=self._transport.kind, identity=lambda: self._identity)

    def _status(self, status: ConnectionStatus, **details: Any) -> FeedStatus:
        return FeedStatus(
            status=status,
            last_event_at=self.feed.meter.last_event_at,
            missed_probes=self.feed.meter.missed_probes,
            **details,
        )

    @property
    def _identity(self) -> Identity:
        if self._token_owner is None:
            raise SessionExpired("This feed has no subscriber.")
        return self._token_owner.session.identity


async def _first_of(work: "asyncio.Task[Any]", *ends: "asyncio.Future[Any]", within: float) -> None:
    """Wait for `work` or one of `ends`, at most `within` seconds; work that is not done then is cancelled.

    It is not awaited further: the driver tries for ten seconds to cancel a statement on a half-open connection.
    """
    work.add_done_callback(ignore_failure)
    try:
        await asyncio.wait({work, *ends}, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        work.cancel()
