"""The hub: one per process, pools feeds by topic and gives out subscriptions on them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Self
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.entities import (
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    AgentExecution,
    ConnectionStatus,
    Entity,
    Notification,
    R,
    Scope,
    SignalAlert,
    Stream,
    Topic,
)
from services.errors import LivewatchError, PermissionDenied, SessionExpired
from services.realtime.feed import Feed
from services.realtime.meter import Totals
from services.realtime.source import Source
from services.realtime.status import FeedStatus
from services.realtime.subscription import OnChange, OnStatus, Subscriber, Subscription
from services.realtime.transports.transport import Transport

logger = structlog.get_logger(__name__)

LINGER_SECONDS = 5.0
RECHECK_INTERVAL_SECONDS = 30.0
UNNOTIFIED_RECHECK_INTERVAL_SECONDS = 3.0
CHECK_RETRY_SECONDS = 1.0
MAX_QUARANTINED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row that failed validation, the first reason, and how often it came on its topic."""

    topic: Topic
    table: str
    id: str
    reason: str
    count: int


class RealtimeService:
    """Any number of subscriptions share one feed, and so one upstream channel, per topic; the last one to leave releases it.

    A subscription on a topic needs the database's word that its holder may listen there. It is asked for when the subscription
    is taken, whenever the holder's memberships change (their own topic tells, or a question every few seconds while
    it is not heard), and every half minute.
    Close with `aclose`, which ends every subscription.
    """

    def __init__(
        self, *, transport: Transport, source: Source, linger: float = LINGER_SECONDS, random: Random | None = None
    ) -> None:
        self.totals = Totals()
        self._quarantined: dict[tuple[Topic, str, str], Quarantined] = {}
        self._transport = transport
        self._source = source
        self._linger = linger
        self._random = random or Random()
        self._feeds: dict[Topic, Feed] = {}
        self._subscriptions: set[Subscription[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._recheck_for_ever(), "recheck of subscriptions")

    def subscribe(
        self,
        entity: Entity[R],
        scope_id: UUID,
        *,
        session: Subscriber,
        where: Callable[[R], bool] | None = None,
        on_change: OnChange[R] | None = None,
        on_status: OnStatus | None = None,
    ) -> Subscription[R]:
        """Take a subscription on the entity's rows of the organisation or user `scope_id`, for `session`; returns at once."""
        subscription = Subscription(
            entity,
            entity.topic(scope_id),
            session=session,
            where=where,
            on_change=on_change,
            on_status=on_status,
            on_close=self._release,
        )
        self._subscriptions.add(subscription)
        self._spawn(self._authorize(subscription), f"authorize to {subscription.topic}")
        return subscription

    def subscribe_to_stream_progress(
        self, stream_id: UUID, org_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[Stream]:
        """One stream of an organisation. `callbacks` are `on_change` and `on_status`, here and below."""
        return self.subscribe(
            STREAMS, org_id, session=session, where=lambda stream: stream.id == stream_id, **callbacks
        )

    def subscribe_to_all_streams(self, org_id: UUID, *, session: Subscriber, **callbacks: Any) -> Subscription[Stream]:
        """Every stream of an organisation."""
        return self.subscribe(STREAMS, org_id, session=session, **callbacks)

    def subscribe_to_scan_progress(
        self, scan_id: UUID, org_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[AcquisitionScan]:
        """One scan of an organisation."""
        return self.subscribe(SCANS, org_id, session=session, where=lambda scan: scan.id == scan_id, **callbacks)

    def subscribe_to_agent_executions(
        self, org_id: UUID, *, session: Subscriber, stream_id: UUID | None = None, **callbacks: Any
    ) -> Subscription[AgentExecution]:
        """The agent executions of an organisation, or of one of its streams."""
        where = (lambda run: run.stream_id == stream_id) if stream_id else None
        return self.subscribe(AGENTS, org_id, session=session, where=where, **callbacks)

    def subscribe_to_signal_alerts(
        self, user_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[SignalAlert]:
        """The alerts for a user."""
        return self.subscribe(ALERTS, user_id, session=session, **callbacks)

    def subscribe_to_notifications(
        self, user_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[Notification]:
        """The messages for a user."""
        return self.subscribe(NOTIFICATIONS, user_id, session=session, **callbacks)

    def active_subscriptions(self) -> list[Subscription[Any]]:
        """Every open subscription."""
        return list(self._subscriptions)

    async def is_reachable(self) -> bool:
        """Whether something listens where Realtime should be."""
        return await self._transport.is_reachable()

    def feeds(self) -> list[Feed]:
        """Every feed, for looking at."""
        return list(self._feeds.values())

    def status(self, topic: Topic) -> FeedStatus | None:
        """The status of a topic's feed, or None when nobody watches it."""
        feed = self._feeds.get(topic)
        return feed.status if feed else None

    def quarantined(self, topic: Topic) -> list[Quarantined]:
        """The rows that failed validation on a topic; for the eyes of those who may listen there."""
        return [each for each in self._quarantined.values() if each.topic == topic]

    def unsubscribe_all(self) -> None:
        """End every subscription."""
        for subscription in list(self._subscriptions):
            subscription.close()

    async def aclose(self) -> None:
        """End every subscription, feed and task; idempotent."""
        self.unsubscribe_all()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        feeds, self._feeds = list(self._feeds.values()), {}
        await asyncio.gather(*(feed.aclose() for feed in feeds), return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _authorize(self, subscription: Subscription[Any]) -> None:
        """Ask the database, as often as it takes to get an answer, and attach or deny."""
        while not subscription.is_closed:
            try:
                await self._source.check(subscription.session.identity, subscription.topic)
            except (PermissionDenied, SessionExpired) as error:
                subscription.deny(str(error))
            except LivewatchError as error:
                logger.info("subscription is not yet checked", topic=str(subscription.topic), cause=str(error))
                await asyncio.sleep(CHECK_RETRY_SECONDS)
            else:
                if not subscription.is_closed:
                    subscription.attach(self._feed(subscription.topic))
                return

    async def _recheck(self, subscriptions: Iterable[Subscription[Any]]) -> None:
        """Ask again for these subscriptions; one question a user and topic."""
        verdicts: dict[tuple[UUID, Topic], str | None] = {}
        for subscription in subscriptions:
            try:
                identity = subscription.session.identity
            except SessionExpired as error:
                subscription.deny(str(error))
                continue
            key = (identity.user_id, subscription.topic)
            if key not in verdicts:
                verdicts[key] = await self._refusal(identity, subscription.topic)
            if (cause := verdicts[key]) is not None:
                subscription.deny(cause)

    async def _refusal(self, identity: Identity, topic: Topic) -> str | None:
        """Why the user may not listen, or None: they may, or there is no answer now (the next check has one)."""
        try:
            await self._source.check(identity, topic)
        except PermissionDenied as error:
            return str(error)
        except LivewatchError as error:
            logger.info("subscription is not rechecked", topic=str(topic), cause=str(error))
        return None

    async def _recheck_for_ever(self) -> None:
        """Ask for everybody now and then, and often for those whose own topic, which would tell, is not heard."""
        clock = asyncio.get_running_loop().time
        everybody_at = clock() + RECHECK_INTERVAL_SECONDS
        while True:
            await asyncio.sleep(UNNOTIFIED_RECHECK_INTERVAL_SECONDS)
            if clock() >= everybody_at:
                everybody_at = clock() + RECHECK_INTERVAL_SECONDS
                await self._recheck(list(self._subscriptions))
            else:
                told = {each.session for each in self._subscriptions if _is_notified(each)}
                await self._recheck([each for each in self._subscriptions if each.session not in told])

    def _membership_changed(self, topic: Topic) -> None:
        """A user's memberships changed (their own topic says so), or a feed's token_owner was refused."""
        users = {each.session for each in self._subscriptions if each.topic == topic}
        concerned = [each for each in self._subscriptions if each.session in users]
        self._spawn(self._recheck(concerned), "recheck after a change of membership")

    def _feed(self, topic: Topic) -> Feed:
        if topic not in self._feeds:
            self._feeds[topic] = Feed(
                topic,
                transport=self._transport,
                source=self._source,
                quarantine=partial(self._quarantine, topic),
                on_membership=self._membership_changed,
                random=self._random,
                totals=self.totals,
            )
        return self._feeds[topic]

    def _release(self, subscription: Subscription[Any]) -> None:
        self._subscriptions.discard(subscription)
        if feed := self._feeds.get(subscription.topic):
            feed.discard(subscription)
            if not feed.subscriptions:
                self._spawn(self._close_when_idle(feed), f"linger of {feed.topic}")

    async def _close_when_idle(self, feed: Feed) -> None:
        """A reload must cost nothing, so a feed outlives its last subscription a little."""
        await asyncio.sleep(self._linger)
        if not feed.subscriptions and self._feeds.get(feed.topic) is feed:
            del self._feeds[feed.topic]
            await feed.aclose()

    def _quarantine(self, topic: Topic, table: str, id: str, reason: str) -> None:
        key = (topic, table, id)
        self.totals.quarantined += 1
        known = self._quarantined.get(key)
        if known is None:
            logger.warning("row quarantined", table=table, id=id, reason=reason)
            if len(self._quarantined) >= MAX_QUARANTINED:
                self._quarantined.pop(next(iter(self._quarantined)))
            known = Quarantined(topic=topic, table=table, id=id, reason=reason, count=0)
        self._quarantined[key] = replace(known, count=known.count + 1)

    def _spawn(self, work: Any, name: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a task of the realtime service failed", task=task.get_name(), exc_info=error)


def _is_notified(subscription: Subscription[Any]) -> bool:
    """Whether changes of its holder's memberships are heard by this subscription."""
    try:
        subscription.session.identity  # noqa: B018  # raises when the session has ended
    except SessionExpired:
        return False
    return subscription.topic.scope is Scope.USER and subscription.status.status is ConnectionStatus.CONNECTED
