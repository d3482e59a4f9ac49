"""Replay: past broadcasts of a private topic, sent after a join."""

import psycopg

from local_supabase.errors import PostgresError
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.channels.broadcasts import broadcast_message
from local_supabase.realtime.protocol.frames import JsonObject, Outgoing

MAX_MESSAGES = 25


class ReplayError(Exception):
    """The replay is refused; the message is the `reason` of the reply."""


async def replay(pool: Pool, topic: str, params: JsonObject, *, private: bool) -> list[Outgoing]:
    """Return the newest messages of a topic, oldest first.

    Args:
        pool: connections with access to `realtime.messages`.
        topic: the topic without its prefix.
        params: `since`, in epoch milliseconds, and `limit`, from 1 to 25 (the default).
        private: whether the channel is private; public topics have no replay.

    Raises:
        ReplayError: the parameters are invalid, or the database is not reachable.
    """
    since, limit = params.get("since"), params.get("limit", MAX_MESSAGES)
    if not private:
        raise ReplayError("UnableToReplayMessages: Replay is not allowed for public channels")
    if not _is_number(since) or not isinstance(limit, int) or isinstance(limit, bool) or not 0 < limit <= MAX_MESSAGES:
        raise ReplayError("UnableToReplayMessages: Replay params are not valid")
    try:
        async with pool.connection() as connection:
            cursor = await connection.execute(
                "select id::text, event, payload::text from realtime.messages"
                " where topic = %s and private and extension = 'broadcast'"
                " and inserted_at >= to_timestamp(%s::float8 / 1000) at time zone 'utc'"
                " order by inserted_at desc, id desc limit %s",
                (topic, since, limit),
            )
            rows = await cursor.fetchall()
    except (psycopg.Error, PostgresError) as error:
        raise ReplayError("UnableToReplayMessages: The messages cannot be read") from error
    return [broadcast_message(row[0], topic, row[1], row[2], replayed=True) for row in reversed(rows)]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
