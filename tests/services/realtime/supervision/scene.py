"""A supervised feed against a database and a Realtime server in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.entities import STREAMS, ConnectionStatus, LiveTable, Topic
from services.feed_kind import FeedKind
from services.realtime.feed import Feed
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscription
from services.realtime.supervision.supervisor import Supervisor
from tests.services.realtime.fakes import ORG_TOPIC, FakeDatabase, FakeMember, FakeServer, FullRandom


@dataclass(kw_only=True)
class Scene:
    """One supervised feed, and everything that it reported."""

    server: FakeServer
    database: FakeDatabase
    feed: Feed
    supervisor: Supervisor
    rechecks: list[Topic]
    statuses: list[FeedStatus] = field(default_factory=list)

    def subscribe(
        self, member: FakeMember, entity: LiveTable[Any] = STREAMS, *, row_id: UUID | None = None
    ) -> Subscription[Any]:
        subscription = Subscription(
            entity,
            self.feed.topic,
            session=member,
            where=None,
            row_id=row_id,
            on_change=None,
            on_status=self.statuses.append,
            on_close=self.feed.discard,
        )
        self.feed.add(subscription)
        return subscription

    @property
    def status(self) -> ConnectionStatus:
        return self.feed.status.status


@asynccontextmanager
async def scene(*, kind: FeedKind = FeedKind.BROADCAST, topic: Topic = ORG_TOPIC) -> AsyncIterator[Scene]:
    server = FakeServer(kind)
    database = FakeDatabase(server)
    rechecks: list[Topic] = []
    feed = Feed(topic, quarantine=lambda *_: None, on_membership=rechecks.append)
    supervisor = Supervisor(feed, transport=server, source=database, random=FullRandom())
    try:
        yield Scene(server=server, database=database, feed=feed, supervisor=supervisor, rechecks=rechecks)
    finally:
        await supervisor.aclose()
        assert len(asyncio.all_tasks()) == 1


async def settled() -> None:
    """Let everything happen that needs no time."""
    await asyncio.sleep(0.001)
