"""The realtime service: one per process, pools feeds by topic and hands out subscriptions."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from random import Random
from typing import Any, Self
from uuid import UUID

import structlog

from services.entities import (
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    AgentExecution,
    LiveTable,
    Notification,
    R,
    Scope,
    SignalAlert,
    Stream,
    Topic,
)
from services.infra.logging import create_shared_task
from services.realtime.authorization import Authorization
from services.realtime.feed import Feed
from services.realtime.meter import Totals
from services.realtime.source import Source
from services.realtime.status import FeedStatus
from services.realtime.subscription import OnChange, OnStatus, Subscriber, Subscription
from services.realtime.supervision.supervisor import Supervisor
from services.realtime.transports.notes_signal import CaretSignal, NotesSignal
from services.realtime.transports.transport import Transport
from services.realtime.transports.typing_signal import TypingSignal

logger = structlog.get_logger(__name__)

LINGER_SECONDS = 5.0
MAX_QUARANTINED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A row that failed validation, the first reason, and how often it arrived on its topic."""

    topic: Topic
    table: str
    id: str
    reason: str
    count: int


class RealtimeService:
    """Pools subscriptions: all on one topic share one feed, and so one upstream channel; the last one releases it.

    The database authorises each subscription when it begins, whenever the subscriber's memberships change, and every
    half minute. Changes of memberships arrive on the subscriber's own topic; while that is not connected, the database
    is asked every few seconds. Close with `aclose`, which ends every subscription.

    Args:
        transport: Opens channels.
        source: Reads from the database.
        linger: Seconds that a feed outlives its last subscription, so that a reload costs nothing.
        random: Randomness of the backoff.
    """

    def __init__(
        self, *, transport: Transport, source: Source, linger: float = LINGER_SECONDS, random: Random | None = None
    ) -> None:
        self.totals = Totals()
        self.on_profile: Callable[[UUID], object] = lambda _: None
        """Called with the id of a subscribed user whose profile changed."""
        self.on_team: Callable[[UUID, UUID | None], object] = lambda *_: None
        """Called with the id of a subscribed user and of an organisation of the user whose team changed; None for the
        organisation when the user's own memberships changed, or may have."""
        self.on_typing: Callable[[UUID, TypingSignal], object] = lambda *_: None
        """Called with the id of a subscribed organisation, of which a member is typing."""
        self.on_notes: Callable[[NotesSignal | CaretSignal], object] = lambda _: None
        """Called with each signal of the notes of streams of subscribed organisations."""
        self._quarantined: dict[tuple[Topic, str, str], Quarantined] = {}
        self._transport = transport
        self._source = source
        self._linger = linger
        self._random = random or Random()
        self._authorization = Authorization(source, random=self._random)
        self._supervisors: dict[Topic, Supervisor] = {}
        self._subscriptions: set[Subscription[Any]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spawn(self._authorization.recheck_loop(self._subscriptions), "recheck of subscriptions")

    def subscribe(
        self,
        entity: LiveTable[R],
        scope_id: UUID,
        *,
        session: Subscriber,
        org_id: UUID | None = None,
        where: Callable[[R], bool] | None = None,
        row_id: UUID | None = None,
        on_change: OnChange[R] | None = None,
        on_status: OnStatus | None = None,
    ) -> Subscription[R]:
        """Subscribe to an entity's rows; returns at once.

        Args:
            entity: Whose rows.
            scope_id: The organisation or the user, as the entity's scope says.
            session: Who subscribes.
            org_id: Keeps the rows of one organisation, on a user's topic.
            where: Keeps a row if true.
            row_id: Keeps one row, which is read even if it is older than those that a feed holds.
            on_change: Called with deltas; may be async. Called with none when only counts have changed.
            on_status: Called with every new status; may be async.
        """
        subscription = Subscription(
            entity,
            entity.topic(scope_id),
            session=session,
            org_id=org_id,
            where=where,
            row_id=row_id,
            on_change=on_change,
            on_status=on_status,
            on_close=self._release,
        )
        self._subscriptions.add(subscription)
        self._spawn(self._admit(subscription), f"authorisation for {subscription.topic}")
        return subscription

    def subscribe_to_stream_progress(
        self, stream_id: UUID, org_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[Stream]:
        """Subscribe to one stream of an organisation; `callbacks` are `on_change` and `on_status`, here and below."""
        return self.subscribe(STREAMS, org_id, session=session, row_id=stream_id, **callbacks)

    def subscribe_to_all_streams(self, org_id: UUID, *, session: Subscriber, **callbacks: Any) -> Subscription[Stream]:
        """Subscribe to every stream of an organisation."""
        return self.subscribe(STREAMS, org_id, session=session, **callbacks)

    def subscribe_to_scan_progress(
        self, scan_id: UUID, org_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[AcquisitionScan]:
        """Subscribe to one scan of an organisation."""
        return self.subscribe(SCANS, org_id, session=session, row_id=scan_id, **callbacks)

    def subscribe_to_agent_executions(
        self, org_id: UUID, *, session: Subscriber, stream_id: UUID | None = None, **callbacks: Any
    ) -> Subscription[AgentExecution]:
        """Subscribe to the agent executions of an organisation, or of one of its streams."""
        where = (lambda row: row.stream_id == stream_id) if stream_id else None
        return self.subscribe(AGENTS, org_id, session=session, where=where, **callbacks)

    def subscribe_to_signal_alerts(
        self, user_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[SignalAlert]:
        """Subscribe to the alerts for a user."""
        return self.subscribe(ALERTS, user_id, session=session, **callbacks)

    def subscribe_to_notifications(
        self, user_id: UUID, *, session: Subscriber, **callbacks: Any
    ) -> Subscription[Notification]:
        """Subscribe to the notifications for a user."""
        return self.subscribe(NOTIFICATIONS, user_id, session=session, **callbacks)

    def active_subscriptions(self) -> list[Subscription[Any]]:
        """Every open subscription."""
        return list(self._subscriptions)

    async def is_reachable(self) -> bool:
        """Whether a server accepts connections where Realtime should be."""
        return await self._transport.is_reachable()

    def feeds(self) -> list[Feed]:
        """Every feed, for inspection."""
        return [supervisor.feed for supervisor in self._supervisors.values()]

    def status(self, topic: Topic) -> FeedStatus | None:
        """The status of a topic's feed; None when nobody subscribes to it."""
        supervisor = self._supervisors.get(topic)
        return supervisor.feed.status if supervisor else None

    def retry(self) -> None:
        """Have every disconnected feed try again now."""
        for supervisor in self._supervisors.values():
            supervisor.retry()

    def quarantined(self, topic: Topic) -> list[Quarantined]:
        """The rows of a topic that failed validation; show them only to its subscribers."""
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
        supervisors, self._supervisors = list(self._supervisors.values()), {}
        await asyncio.gather(*(supervisor.aclose() for supervisor in supervisors), return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _admit(self, subscription: Subscription[Any]) -> None:
        if await self._authorization.authorize(subscription):
            self._supervisor(subscription.topic).feed.add(subscription)

    def _notes_changed(self, signal: NotesSignal | CaretSignal) -> None:
        self.on_notes(signal)

    def _membership_changed(self, topic: Topic) -> None:
        """Recheck the subscribers of a topic: memberships changed, or a feed's token owner was refused."""
        sessions = {each.session for each in self._subscriptions if each.topic == topic}
        affected = [each for each in self._subscriptions if each.session in sessions]
        self._spawn(self._authorization.recheck(affected), "recheck after a change of memberships")
        if topic.scope is Scope.USER:
            self.on_team(topic.id, None)

    def _supervisor(self, topic: Topic) -> Supervisor:
        if topic not in self._supervisors:
            feed = Feed(
                topic,
                quarantine=partial(self._quarantine, topic),
                on_membership=self._membership_changed,
                on_profile=lambda user: self.on_profile(user.id),
                on_team=lambda user, org_id: self.on_team(user.id, org_id),
                on_typing=lambda org, signal: self.on_typing(org.id, signal),
                on_notes=self._notes_changed,
                totals=self.totals,
            )
            self._supervisors[topic] = Supervisor(
                feed, transport=self._transport, source=self._source, random=self._random
            )
        return self._supervisors[topic]

    def _release(self, subscription: Subscription[Any]) -> None:
        self._subscriptions.discard(subscription)
        if supervisor := self._supervisors.get(subscription.topic):
            supervisor.feed.discard(subscription)
            if not supervisor.feed.subscriptions:
                self._spawn(self._close_when_idle(supervisor), f"linger of {supervisor.feed.topic}")

    async def _close_when_idle(self, supervisor: Supervisor) -> None:
        await asyncio.sleep(self._linger)
        topic = supervisor.feed.topic
        if not supervisor.feed.subscriptions and self._supervisors.get(topic) is supervisor:
            del self._supervisors[topic]
            await supervisor.aclose()

    def _quarantine(self, topic: Topic, table: str, id: str, reason: str | None) -> None:
        key = (topic, table, id)
        if reason is None:
            self._quarantined.pop(key, None)
            return
        self.totals.quarantined += 1
        known = self._quarantined.get(key)
        if known is None:
            logger.warning("row quarantined", table=table, id=id, reason=reason)
            if len(self._quarantined) >= MAX_QUARANTINED:
                self._quarantined.pop(next(iter(self._quarantined)))
            known = Quarantined(topic=topic, table=table, id=id, reason=reason, count=0)
        self._quarantined[key] = replace(known, count=known.count + 1)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = create_shared_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("realtime task failed", task=task.get_name(), exc_info=error)
