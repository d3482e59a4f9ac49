"""A database, a Realtime server and members in memory, for feeds without sockets."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import jwt
from pydantic import SecretStr

from services.auth.identity import Identity
from services.entities import LiveTable, Scope, Topic
from services.errors import DatabaseUnavailable, PermissionDenied, SessionExpired
from services.feed_kind import FeedKind
from services.realtime.transports.change import Change, Operation
from services.realtime.transports.transport import Sink

ORG = UUID(int=1)
ORG_TOPIC = Topic(scope=Scope.ORG, id=ORG)


def record(id: UUID, version: int = 1, **fields: Any) -> dict[str, Any]:
    """A row of `streams` as the database renders it."""
    return {"id": str(id), "org_id": str(ORG), "version": version, "name": f"v{version}", **fields}


def upsert(id: UUID, version: int, **fields: Any) -> Change:
    """The event of a row that was written."""
    row = record(id, version, **fields)
    return Change(table="streams", operation=Operation.UPDATE, id=id, version=version, record=row)


def delete(id: UUID, version: int) -> Change:
    """The event of a row that was deleted; `postgres_changes` sends no version, which is 0."""
    return Change(table="streams", operation=Operation.DELETE, id=id, version=version, record=None)


class FakeMember:
    """A session of one person; `renew` gives it another token, `end` ends it."""

    def __init__(self, *, lives: timedelta = timedelta(hours=1)) -> None:
        self.user_id = uuid4()
        self.has_ended = False
        self.renew(lives)

    def renew(self, lives: timedelta = timedelta(hours=1)) -> None:
        expires_at = datetime.now(UTC) + lives
        claims = {"sub": str(self.user_id), "session_id": str(self.user_id), "exp": expires_at, "jti": str(uuid4())}
        self._identity = Identity.from_token(jwt.encode(claims, "a secret that nobody checks in these tests"))

    def end(self) -> None:
        self.has_ended = True

    @property
    def identity(self) -> Identity:
        if self.has_ended:
            raise SessionExpired("The session has ended.")
        return self._identity


class FakeDatabase:
    """The rows and members of `Source`; counts the reads. Probes go out through `server`."""

    def __init__(self, server: "FakeServer") -> None:
        self.records: dict[str, list[dict[str, Any]]] = {}
        self.denied: set[UUID] = set()
        self.is_down = False
        self.server = server
        self.checks: list[UUID] = []
        self.snapshots: list[str] = []
        self.reads: list[list[UUID]] = []
        """Ids of single rows that were read."""
        self.counts: list[str] = []
        """Tables whose rows were counted by groups."""
        self.beyond: list[dict[str, Any]] = []
        """Rows that no snapshot holds."""
        self.comparisons: list[float] = []
        """The loop's times at which ids and versions were read."""
        self.readers: list[UUID] = []
        self.on_snapshot: Any = None
        """Called after a snapshot was read and before it is returned."""
        self.on_read: Any = None
        """Called after single rows were read and before they are returned."""

    async def is_reachable(self) -> bool:
        return not self.is_down

    async def check(self, identity: Identity, topic: Topic) -> None:
        self.checks.append(identity.user_id)
        self._refuse(identity)

    async def snapshot(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        self._refuse(identity)
        self.snapshots.append(entity.table)
        self.readers.append(identity.user_id)
        records = list(self.records.get(entity.table, []))
        await asyncio.sleep(0)
        if self.on_snapshot:
            self.on_snapshot()
        return records

    async def rows(
        self, identity: Identity, entity: LiveTable[Any], topic: Topic, ids: Sequence[UUID]
    ) -> list[dict[str, Any]]:
        self._refuse(identity)
        self.reads.append(list(ids))
        every = self.records.get(entity.table, []) + self.beyond
        records = [each for each in every if UUID(each["id"]) in ids]
        if self.on_read:
            self.on_read()
        return records

    async def versions(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> dict[UUID, int]:
        self._refuse(identity)
        self.comparisons.append(asyncio.get_running_loop().time())
        return {UUID(each["id"]): each["version"] for each in self.records.get(entity.table, [])}

    async def groups(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        self._refuse(identity)
        self.counts.append(entity.table)
        records = self.records.get(entity.table, []) + self.beyond
        statuses = Counter(each.get("goal_status", "not_started") for each in records)
        return [{"goal_status": status, "count": count} for status, count in statuses.items()]

    async def probe(self, identity: Identity, topic: Topic, nonce: UUID, kind: FeedKind) -> None:
        self._refuse(identity)
        self.server.send_probe(topic, nonce)

    def _refuse(self, identity: Identity) -> None:
        if self.is_down:
            raise DatabaseUnavailable("The database does not answer.")
        if identity.user_id in self.denied:
            raise PermissionDenied("No access to the topic.")


class FakeLink:
    """A joined channel; `tokens` are those that it ran under."""

    def __init__(self, token: SecretStr) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tokens = [token.get_secret_value()]

    async def set_auth(self, token: SecretStr) -> None:
        self.tokens.append(token.get_secret_value())


class FakeServer:
    """A Realtime server, as a `Transport`; `joins` are the loop's times of the attempts to join."""

    def __init__(self, kind: FeedKind = FeedKind.BROADCAST) -> None:
        self.kind = kind
        self.refusal: BaseException | None = None
        self.is_up = True
        self.delivers_probes = True
        self.probe_delay = 0.0
        self.leave_delay = 0.0
        self.on_join: Any = None
        """Called as soon as the channel is joined."""
        self.joins: list[float] = []
        self.links: list[FakeLink] = []
        self.sinks: dict[Topic, Sink] = {}

    @property
    def link(self) -> FakeLink:
        return self.links[-1]

    async def is_reachable(self) -> bool:
        return self.is_up

    @asynccontextmanager
    async def open(self, topic: Topic, token: SecretStr, sink: Sink) -> AsyncIterator[FakeLink]:
        self.joins.append(asyncio.get_running_loop().time())
        if self.refusal:
            raise self.refusal
        self.links.append(FakeLink(token))
        self.sinks[topic] = sink
        if self.on_join:
            self.on_join()
        try:
            yield self.links[-1]
        finally:
            self.sinks.pop(topic, None)
            await asyncio.sleep(self.leave_delay)

    def send_probe(self, topic: Topic, nonce: UUID) -> None:
        if self.delivers_probes and topic in self.sinks:
            asyncio.get_running_loop().call_later(self.probe_delay, self.sinks[topic].probe, nonce)

    def lose(self, reason: str = "the socket was closed") -> None:
        """Close the channel that was joined last."""
        self.link.closed.set_result(reason)


class FullRandom(Random):
    """Always draws the upper bound."""

    def uniform(self, a: float, b: float) -> float:
        return b
