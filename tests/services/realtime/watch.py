"""One subscription, watched while things go wrong: every status it goes through, and whether it equals the database."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from uuid import UUID

import psycopg
import pytest

from local_supabase.errors import PostgresError
from services.entities import STREAMS, ConnectionStatus, Stream
from services.feed_kind import ClientKind, FeedKind
from services.realtime import TRANSPORTS, DatabaseSource, Delta, RealtimeService, Subscription
from tests.speed import deadline
from tests.world import Person, World, until

CONVERGES = 5.0
NOTICES = 10.0
CONNECTING, CONNECTED = ConnectionStatus.CONNECTING, ConnectionStatus.CONNECTED
DISCONNECTED, ERROR = ConnectionStatus.DISCONNECTED, ConnectionStatus.ERROR
WAYS = {
    "broadcast": (FeedKind.BROADCAST, ClientKind.QUICK),
    "official client": (FeedKind.BROADCAST, ClientKind.OFFICIAL),
    "postgres_changes": (FeedKind.POSTGRES_CHANGES, ClientKind.QUICK),
}
on_each_transport = pytest.mark.parametrize("watch", WAYS.values(), ids=WAYS, indirect=True)


def path(statuses: list[ConnectionStatus]) -> list[ConnectionStatus]:
    """The way that they went, without what was only said again."""
    return [status for status, _ in groupby(statuses)]


@dataclass(kw_only=True)
class Watch:
    """One member's subscription on an organisation's streams, and every status it went through."""

    world: World
    org: UUID
    member: Person
    service: RealtimeService
    subscription: Subscription[Stream]
    statuses: list[ConnectionStatus] = field(default_factory=list)

    async def equal(self) -> bool:
        """Return whether it equals the database; False also while a fault keeps the database from answering."""
        try:
            rows = await self.world.sql("select id, version from streams where org_id = %s", self.org)
        except (psycopg.Error, PostgresError):
            return False
        return {row.id: row.version for row in self.subscription.rows()} == dict(rows)

    async def _difference(self) -> str:
        rows = dict(await self.world.sql("select id, version from streams where org_id = %s", self.org))
        watched = {row.id: row.version for row in self.subscription.rows()}
        stale = [id for id in rows.keys() & watched.keys() if rows[id] != watched[id]]
        missing, extra = len(rows.keys() - watched.keys()), len(watched.keys() - rows.keys())
        return f"{missing} missing, {extra} extra, {len(stale)} stale of {len(rows)}; {self.subscription.status}"

    async def converges(self) -> None:
        """Fail unless the subscription is connected and equals the database soon after the fault has ended."""
        async with asyncio.timeout(deadline(CONVERGES + 1)):
            try:
                await until(self.equal, within=CONVERGES, what="the subscription equals the database")
            except AssertionError as error:
                error.add_note(await self._difference())
                raise
            await until(lambda: self.subscription.status.status is CONNECTED, within=CONVERGES, what="it is connected")
        assert not self.subscription.status.cause

    async def notices(self) -> None:
        await until(lambda: self.subscription.status.status is not CONNECTED, within=NOTICES, what="it is noticed")

    def went(self, *expected: ConnectionStatus) -> None:
        """Fails unless since it was last connected, or last asked, the status went exactly this way."""
        assert path([CONNECTED, *self.statuses]) == [CONNECTED, *expected]
        self.statuses.clear()

    def went_between(self, *allowed: ConnectionStatus) -> None:
        """Fails if since it was last connected, or last asked, it said anything else; how often is not asked."""
        assert set(self.statuses) <= set(allowed), path(self.statuses)
        self.statuses.clear()

    async def changes(self, count: int = 20) -> int:
        """Insert, update and delete behind the watch's back; returns the number of changes. Older rows stay."""
        inserted = await self.world.sql(
            "insert into streams (org_id, name) select %s, 'new ' || n from generate_series(1, %s) as n returning id",
            self.org,
            count,
        )
        updated = await self.world.sql(
            "update streams set completed = completed + 1 where org_id = %s returning id", self.org
        )
        deleted = await self.world.sql(
            "delete from streams where id = any(%s) returning id", [id for (id,) in inserted[: count // 2]]
        )
        return len(inserted) + len(updated) + len(deleted)


async def watching(
    world: World,
    url: str,
    kind: FeedKind = FeedKind.BROADCAST,
    client: ClientKind = ClientKind.QUICK,
    *,
    on_change: Callable[[list[Delta[Stream]]], None] | None = None,
) -> Watch:
    """A watch on a new organisation that is connected; its service is the caller's to close."""
    org = await world.organization()
    member = await world.person(org)
    service = RealtimeService(
        transport=TRANSPORTS[kind](url=url, key=world.status.anon_key, client=client),
        source=DatabaseSource(world.database),
    )
    statuses: list[ConnectionStatus] = []
    subscription = service.subscribe(
        STREAMS, org, session=member, on_change=on_change, on_status=lambda each: statuses.append(each.status)
    )
    watch = Watch(world=world, org=org, member=member, service=service, subscription=subscription, statuses=statuses)
    await watch.changes()
    await watch.converges()
    assert path(statuses) == [CONNECTING, CONNECTED]
    statuses.clear()
    return watch


async def nothing_left(before: set[asyncio.Task[Any]], sockets: Callable[[], int]) -> None:
    """Fails if a task of a feed or of the client, or a socket, outlives its service."""

    def left() -> list[str]:
        mine = asyncio.all_tasks() - before
        return [task.get_name() for task in mine if "realtime" in repr(task) or "feed" in task.get_name()]

    await until(lambda: not left(), within=5, what="no task is left")
    await until(lambda: sockets() == 0, within=5, what="no socket is left")
