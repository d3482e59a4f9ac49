"""What a feed reads from the database, always as one of the people it serves."""

from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import Entity, Topic
from services.errors import PermissionDenied
from services.feed_kind import FeedKind
from services.infra.database import Database


class Source(Protocol):
    """The reads behind a feed. Each raises PermissionDenied when the user may not listen to the topic (any longer),
    and DatabaseUnavailable when there is no answer."""

    async def check(self, identity: Identity, topic: Topic) -> None:
        """Return if the user may listen to the topic."""

    async def snapshot(self, identity: Identity, entity: Entity[Any], topic: Topic) -> list[dict[str, Any]]:
        """The entity's rows on the topic as `to_jsonb` renders them, most wanted first, at most `entity.limit`."""

    async def versions(self, identity: Identity, entity: Entity[Any], topic: Topic) -> dict[UUID, int]:
        """The same rows' ids and versions."""

    async def probe(self, identity: Identity, topic: Topic, nonce: UUID, kind: FeedKind) -> None:
        """Have the database send `nonce` to the topic the way changes go."""


class DatabaseSource:
    """The Source over a Database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(self, identity: Identity, topic: Topic) -> None:
        await self._read(identity, topic, "select")

    async def snapshot(self, identity: Identity, entity: Entity[Any], topic: Topic) -> list[dict[str, Any]]:
        # As JSON, so that a row reads the same here and in a broadcast, and one decoder serves both.
        return [row[0] for row in await self._read(identity, topic, f"select to_jsonb(t) from {_rows_on(entity)}")]

    async def versions(self, identity: Identity, entity: Entity[Any], topic: Topic) -> dict[UUID, int]:
        return {
            row[0]: row[1]
            for row in await self._read(identity, topic, f"select t.id, t.version from {_rows_on(entity)}")
        }

    async def probe(self, identity: Identity, topic: Topic, nonce: UUID, kind: FeedKind) -> None:
        async with self._database.as_user(identity) as session:
            connection = await session.connection()
            await connection.execute(
                text("select public.livewatch_probe(:topic, :nonce, :kind)"),
                {"topic": str(topic), "nonce": nonce, "kind": kind.value},
            )

    async def _read(self, identity: Identity, topic: Topic, statement: str) -> list[Any]:
        """Read in one transaction with the check, since row-level security shows a stranger no rows, not an error."""
        async with self._database.as_user(identity) as session:
            connection = await session.connection()
            allowed = await connection.execute(text("select private.can_subscribe(:topic)"), {"topic": str(topic)})
            if not allowed.scalar_one():
                raise PermissionDenied(f"{identity.email} is not, or no longer, among the people of {topic}.")
            if statement == "select":
                return []
            return list(await connection.execute(text(statement), {"scope_id": topic.id}))


def _rows_on(entity: Entity[Any]) -> str:
    return (
        f"(select * from public.{entity.table} where {entity.scope}_id = :scope_id "
        f"order by {entity.order} limit {entity.limit}) as t"
    )
