"""The database reads behind a feed, each under the claims of one of its subscribers."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import LiveTable, Topic
from services.entities.base.grouping import grouped
from services.errors import PermissionDenied
from services.feed_kind import FeedKind
from services.infra.database import Database

COUNT_TIME_LIMIT_SECONDS = 5.0


class Source(Protocol):
    """The reads behind a feed.

    Each raises PermissionDenied when the user may not, or no longer, subscribe to the topic, and DatabaseUnavailable
    when PostgreSQL does not answer.
    """

    async def is_reachable(self) -> bool:
        """Whether PostgreSQL accepts a connection and answers; cheap enough to ask every few seconds."""

    async def check(self, identity: Identity, topic: Topic) -> None:
        """Return if the user may subscribe to the topic."""

    async def snapshot(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        """Read the entity's rows on the topic as `to_jsonb` renders them, in its order, at most `entity.limit`."""

    async def rows(
        self, identity: Identity, entity: LiveTable[Any], topic: Topic, ids: Sequence[UUID]
    ) -> list[dict[str, Any]]:
        """Read those of some rows that exist."""

    async def versions(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> dict[UUID, int]:
        """Read the ids and versions of the same rows."""

    async def groups(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        """Count all rows of the entity on the topic by its grouping; see `read_groups`."""

    async def probe(self, identity: Identity, topic: Topic, nonce: UUID, kind: FeedKind) -> None:
        """Have the database send a probe with `nonce` to the topic, on the path of changes."""


class DatabaseSource:
    """Reads from a `Database`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_reachable(self) -> bool:
        return await self._database.is_reachable()

    async def check(self, identity: Identity, topic: Topic) -> None:
        await self._read(identity, topic, "select")

    async def snapshot(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        # As JSON, so that one decoder serves snapshots and broadcasts.
        return [row[0] for row in await self._read(identity, topic, f"select to_jsonb(t) from {rows_on(entity)}")]

    async def rows(
        self, identity: Identity, entity: LiveTable[Any], topic: Topic, ids: Sequence[UUID]
    ) -> list[dict[str, Any]]:
        statement = (
            f"select to_jsonb(t) from public.{entity.table} as t "
            f"where {entity.scope}_id = :scope_id and id = any (:ids)"
        )
        return [row[0] for row in await self._read(identity, topic, statement, {"ids": list(ids)})]

    async def versions(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> dict[UUID, int]:
        return {
            row[0]: row[1]
            for row in await self._read(identity, topic, f"select t.id, t.version from {rows_on(entity)}")
        }

    async def groups(self, identity: Identity, entity: LiveTable[Any], topic: Topic) -> list[dict[str, Any]]:
        assert entity.grouping is not None
        statement = grouped(entity.grouping, f"public.{entity.table} where {entity.scope}_id = :scope_id")
        rows = await self._read(identity, topic, statement, time_limit=COUNT_TIME_LIMIT_SECONDS)
        return [dict(row._mapping) for row in rows]

    async def probe(self, identity: Identity, topic: Topic, nonce: UUID, kind: FeedKind) -> None:
        async with self._database.as_user(identity) as session:
            connection = await session.connection()
            await connection.execute(
                text("select public.livewatch_probe(:topic, :nonce, :kind)"),
                {"topic": str(topic), "nonce": nonce, "kind": kind.value},
            )

    async def _read(
        self,
        identity: Identity,
        topic: Topic,
        statement: str,
        values: Mapping[str, Any] = MappingProxyType({}),
        *,
        time_limit: float | None = None,
    ) -> list[Any]:
        """Read in the transaction of the check: row-level security shows a stranger no rows, not an error."""
        async with self._database.as_user(identity) as session:
            connection = await session.connection()
            allowed = await connection.execute(text("select private.can_subscribe(:topic)"), {"topic": str(topic)})
            if not allowed.scalar_one():
                raise PermissionDenied(f"{identity.email} has no access to {topic}, or no longer.")
            if statement == "select":
                return []
            if time_limit is not None:
                await connection.execute(text(f"set local statement_timeout = '{time_limit:g}s'"))
            return list(await connection.execute(text(statement), {"scope_id": topic.id, **values}))


def rows_on(entity: LiveTable[Any]) -> str:
    """Return the rows that a feed holds, as a part of a statement with `:scope_id`."""

    def latest(condition: str) -> str:
        return (
            f"(select * from public.{entity.table} where {entity.scope}_id = :scope_id {condition} "
            f"order by {entity.order} limit {entity.limit})"
        )

    if not entity.unfinished_first:
        return f"{latest('')} as t"
    # Two scans in the order of their indices; one order over both would sort every row.
    both = f"{latest('and not is_finished')} union all {latest('and is_finished')}"
    return f"(select * from ({both}) as both_kinds order by is_finished, {entity.order} limit {entity.limit}) as t"
