"""Past broadcasts of a private topic, for a client that joins and wants to catch up."""

import psycopg

from local_supabase.errors import PostgresError
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.channels.broadcasts import message_of
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing

MOST = 25


class ReplayError(Exception):
    """The wish cannot be fulfilled; the text is the `reason` of the reply."""


async def replay(pool: Pool, topic: str, wish: JsonObject, *, private: bool) -> list[Outgoing]:
    """Return the newest messages since `since` (milliseconds of the epoch), at most `limit` and 25, oldest first.

    Raises ReplayError.
    """
    since, limit = wish.get("since"), wish.get("limit", MOST)
    if not private:
        raise ReplayError("UnableToReplayMessages: Replay is not allowed for public channels")
    if not _is_number(since) or not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= MOST:
        raise ReplayError("UnableToReplayMessages: Replay params are not valid")
    try:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "select id::text, event, payload::text from realtime.messages"
                " where topic = %s and private and extension = 'broadcast'"
                " and inserted_at >= to_timestamp(%s::float8 / 1000) at time zone 'utc'"
                " order by inserted_at desc, id limit %s",
                (topic, since, limit),
            )
            rows = await cursor.fetchall()
    except (psycopg.Error, PostgresError) as error:
        raise ReplayError("UnableToReplayMessages: The messages cannot be read") from error
    return [message_of(row[0], topic, row[1], row[2], replayed=True) for row in reversed(rows)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
