"""Courier: tells the devices of people what comes to their inboxes, and what was read elsewhere."""

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import text

from services.errors import NotAccepted
from services.infra.backoff import Backoff
from services.infra.database import Database
from services.infra.tasks.periodic import PeriodicTask
from services.push.encryption import DeviceKeys
from services.push.endpoints import is_of_apple
from services.push.message import PushMessage, message_of, withdrawal_of
from services.push.sender import Address, Outcome, PushSender
from services.rules.terms.pace import QuietHours

logger = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
BATCH = 100
AT_ONCE = 20
LEASE = timedelta(seconds=150)
"""Longer than a batch takes: each message waits 20 s for two answers at most, five times over."""
REST_SECONDS = 60.0
"""Time between two messages of a group to a device, but for what is read meanwhile."""
GIVE_UP = timedelta(hours=24)
FIRST_RETRY_SECONDS = 5.0
MAX_RETRY_SECONDS = 1800.0

_CLAIM = text("select * from private.claim_pushes(:batch, :lease)")
_SETTLE = text("select private.settle_pushes(cast(:results as jsonb))")


class PushCourier(PeriodicTask):
    """Looks every second for groups of messages of which a device is to be told.

    Any number of processes do: each group is claimed by one. A group that could not be sent is tried again, ever more
    slowly, for a day. Close with `aclose`.

    Args:
        database: Where groups and devices are.
        sender: Reaches the push services; the caller closes it.
        interval: Seconds between two looks.
        rest: See `REST_SECONDS`.
        clock: The time by which quiet hours are told.
    """

    def __init__(
        self,
        database: Database,
        sender: PushSender,
        *,
        interval: float = INTERVAL_SECONDS,
        rest: float = REST_SECONDS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._sender = sender
        self._rest = rest
        self._clock = clock
        super().__init__(self._look, name="push", interval=interval, failure="devices were not told")

    async def deliver_due(self) -> int:
        """Tell one batch of groups that are due; returns their number.

        Raises:
            DatabaseUnavailable: PostgreSQL did not respond.
        """
        async with self._database.as_app() as session:
            rows = await (await session.connection()).execute(_CLAIM, {"batch": BATCH, "lease": LEASE})
            claimed = [dict(row._mapping) for row in rows]
        if not claimed:
            return 0
        some = asyncio.Semaphore(AT_ONCE)

        async def tell(group: Mapping[str, Any]) -> dict[str, Any]:
            async with some:
                return await self._tell(group)

        results = await asyncio.gather(*map(tell, claimed))
        async with self._database.as_app() as session:
            await (await session.connection()).execute(_SETTLE, {"results": json.dumps(results, default=str)})
        return len(claimed)

    async def _look(self) -> None:
        while await self.deliver_due() >= BATCH:
            logger.debug("devices wait to be told")

    async def _tell(self, group: Mapping[str, Any]) -> dict[str, Any]:
        """Tell a device of a group; returns what `private.settle_pushes` takes."""
        settled = {name: group[name] for name in ("device_id", "org_id", "tag", "version", "unread")}
        message = due_message(group)
        if message is None:
            return {**settled, "outcome": "nothing"}
        wait = None if message.is_silent else quiet_seconds(group, self._clock())
        if wait is not None:
            return {**settled, "outcome": "quiet", "wait": wait}
        try:
            address = Address(endpoint=group["endpoint"], keys=DeviceKeys.parse(group["p256dh"], group["auth"]))
        except NotAccepted as error:
            return {**settled, "outcome": Outcome.REFUSED, "answer": str(error)}
        try:
            answer = await self._sender.deliver(address, message)
        except Exception:
            # One device's fault is not the others': their results are noted, and this one is tried again.
            logger.exception("a device was not told", service=address.host)
            return {**settled, "outcome": Outcome.LATER, "wait": MAX_RETRY_SECONDS}
        logger.debug("device told", service=address.host, outcome=answer.outcome.value)
        if answer.outcome is Outcome.SENT:
            wait = self._rest
        elif answer.outcome is Outcome.LATER and not _has_failed_for_long(group):
            backoff = Backoff(base=FIRST_RETRY_SECONDS, maximum=MAX_RETRY_SECONDS)
            backoff.attempt = group["attempts"]
            wait = max(answer.retry_after or 0.0, backoff.delay())
        return {**settled, "outcome": answer.outcome, "wait": wait, "answer": answer.sentence}


def due_message(group: Mapping[str, Any]) -> PushMessage | None:
    """Return what a device is to be told of a group; None if it knows all.

    Devices of Apple show every message or end the subscription, so that they are told of what is new only.
    """
    told, unread = group["told_unread"], group["unread"]
    if unread and group["version"] > group["told_version"]:
        return message_of(group)
    if unread == told or is_of_apple(group["endpoint"]):
        return None
    return message_of(group, is_silent=True) if unread else withdrawal_of(group)


def quiet_seconds(group: Mapping[str, Any], now: datetime) -> float | None:
    """Return for how long the quiet hours of a group's person last; None outside of them or if they are malformed."""
    try:
        quiet = QuietHours.parse(group["quiet"] or "", group["quiet_zone"] or "UTC")
    except NotAccepted:
        return None
    left = (quiet.end_after(now) - now).total_seconds() if quiet else 0.0
    return left if left > 0 else None


def _has_failed_for_long(group: Mapping[str, Any]) -> bool:
    since: datetime | None = group["failing_since"]
    return since is not None and datetime.now(UTC) - since > GIVE_UP
