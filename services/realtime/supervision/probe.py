"""The end-to-end probe of a feed: a tiny broadcast through the database that proves the whole path and measures it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from services.auth.identity import Identity
from services.entities import ConnectionStatus
from services.errors import DatabaseUnavailable, FeedError, PermissionDenied, SessionExpired
from services.feed_kind import FeedKind
from services.infra.event_loop import stall_tolerant_timeout
from services.realtime.feed import Feed
from services.realtime.source import Source

PROBE_INTERVAL_SECONDS = 5.0
PROBE_TIMEOUT_SECONDS = 3.0
BACKLOG_RATE = 5.0
"""Changes read per second while waiting, above which a late probe is behind others; a path that is cut brings none."""
BACKLOG_STEP_SECONDS = 1.0
BEHIND_AFTER_SECONDS = 4.0
"""Age of a late probe at which the rows no longer count as live, though the channel is kept: within 10 s of the fault,
since the probe before it may have come back just before, 5 s earlier."""
MAX_BACKLOG_SECONDS = 60.0
BEHIND = "Catching up: there are more changes at once than can be read."


class Prober:
    """Sends the probes of one connected feed.

    Args:
        feed: The feed.
        source: Sends through the database.
        kind: The path of the feed's changes.
        identity: Returns whose claims to send with; raises SessionExpired without a subscriber.
    """

    def __init__(self, feed: Feed, source: Source, *, kind: FeedKind, identity: Callable[[], Identity]) -> None:
        self._feed = feed
        self._source = source
        self._kind = kind
        self._identity = identity

    async def run(self) -> str:
        """Send probes while they come back; returns the cause when one does not."""
        meter = self._feed.meter
        while True:
            try:
                lag = await self.probe(PROBE_TIMEOUT_SECONDS)
            except TimeoutError:
                meter.record_missed_probe()
                return f"A probe did not come back within {PROBE_TIMEOUT_SECONDS:.0f} s."
            except (DatabaseUnavailable, PermissionDenied, FeedError, SessionExpired) as error:
                return str(error)
            meter.record_lag(lag)
            status = replace(self._feed.status, lag=lag, last_event_at=meter.last_event_at)
            if status.status is ConnectionStatus.CONNECTING:
                status = replace(status, status=ConnectionStatus.CONNECTED, cause="")
            self._feed.set_status(status)
            await asyncio.sleep(PROBE_INTERVAL_SECONDS)

    async def probe(self, timeout: float) -> float:  # noqa: ASYNC109  # the timeout tolerates a blocked event loop
        """Send one probe; returns the seconds until it came back.

        Raises:
            TimeoutError: It did not come back within `timeout` seconds, nor behind many changes.
            DatabaseUnavailable: PostgreSQL did not take it within that time.
        """
        clock = asyncio.get_running_loop().time
        nonce, sent = uuid4(), clock()
        waiting = self._feed.expect_probe(nonce)
        sending = asyncio.create_task(
            self._source.probe(self._identity(), self._feed.topic, nonce, self._kind),
            name=f"probe of {self._feed.topic}",
        )
        try:
            await self._sent(sending, timeout)
            await self._come_back(waiting, sent=sent, timeout=timeout - (clock() - sent))
        finally:
            waiting.cancel()
            # Not awaited: the driver tries for ten seconds to cancel a statement on a half-open connection.
            sending.add_done_callback(ignore_failure)
            sending.cancel()
        return clock() - sent

    async def _sent(self, sending: "asyncio.Task[None]", timeout: float) -> None:  # noqa: ASYNC109
        try:
            async with stall_tolerant_timeout(timeout):
                await asyncio.wait({sending})
        except TimeoutError as error:
            raise DatabaseUnavailable(f"PostgreSQL did not respond within {timeout:.0f} s.") from error
        sending.result()

    async def _come_back(self, waiting: "asyncio.Future[None]", *, sent: float, timeout: float) -> None:  # noqa: ASYNC109
        """Wait for a sent probe: `timeout` seconds, and on while many changes are read that came before it."""
        clock = asyncio.get_running_loop().time
        while True:
            events, began = self._feed.meter.events, clock()
            try:
                async with stall_tolerant_timeout(timeout):
                    await asyncio.shield(waiting)
                return
            except TimeoutError:
                is_backlog = self._feed.meter.events - events > BACKLOG_RATE * (clock() - began)
                if not is_backlog or clock() - sent > MAX_BACKLOG_SECONDS:
                    raise
            status = self._feed.status
            if clock() - sent >= BEHIND_AFTER_SECONDS and status.status is ConnectionStatus.CONNECTED:
                self._feed.set_status(replace(status, status=ConnectionStatus.CONNECTING, cause=BEHIND))
            timeout = BACKLOG_STEP_SECONDS


def ignore_failure(task: "asyncio.Task[None]") -> None:
    """Take note of how a task that nobody awaits has ended."""
    if not task.cancelled():
        task.exception()
