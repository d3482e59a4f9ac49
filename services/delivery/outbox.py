"""Outbox: deliveries that wait in the database, claimed for a try and noted afterwards."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.delivery.channel_kind import ChannelKind
from services.delivery.message import Answer, Message
from services.infra.database import Database

CLAIM_SECONDS = 60.0
"""How long a try may take; then another process tries again, since the first one has died."""
_CLAIM = text("select to_jsonb(delivery) as delivery, channel, sealed from private.claim_deliveries(:limit, :seconds)")
_NOTE = text("select private.note_delivery(:id, :delivered, :answer, :final, :retry, cast(:settled as jsonb))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that this process has claimed to deliver.

    `sealed` is the encrypted address of its channel; `settled` are the recipients of earlier tries, as of `Answer`.
    """

    id: UUID
    channel_id: UUID
    kind: ChannelKind
    attempt: int
    message: Message
    sealed: str
    settled: Mapping[str, str]

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Delivery":
        """Return the delivery of a row of `private.claim_deliveries`."""
        delivery, channel = record["delivery"], record["channel"]
        return cls(
            id=UUID(delivery["id"]),
            channel_id=UUID(channel["id"]),
            kind=ChannelKind(channel["kind"]),
            attempt=delivery["attempts"],
            message=Message.of_record(delivery["content"]),
            sealed=record["sealed"],
            settled=delivery["settled"],
        )


async def claim(database: Database, *, limit: int, seconds: float = CLAIM_SECONDS) -> list[Delivery]:
    """Claim deliveries that are due, of which no other process has a claim.

    Args:
        database: Where they wait.
        limit: Most deliveries to claim.
        seconds: After which others may claim them, unless they are noted.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_app() as session:
        rows = await (await session.connection()).execute(_CLAIM, {"limit": limit, "seconds": seconds})
        return [Delivery.of_record(dict(row)) for row in rows.mappings()]


async def note(database: Database, id: UUID, answer: Answer) -> None:
    """Note how a try ended; what was not taken waits for the next one. Raises DatabaseUnavailable."""
    values = {
        "id": id,
        "delivered": answer.is_delivered,
        "answer": answer.text,
        "final": answer.is_final,
        "retry": answer.retry_after,
        "settled": json.dumps(dict(answer.settled)),
    }
    async with database.as_app() as session:
        await (await session.connection()).execute(_NOTE, values)
