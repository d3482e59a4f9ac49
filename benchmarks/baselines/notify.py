"""PostgreSQL NOTIFY by a trigger, the shortest path from a commit to a process, for the baselines."""

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg

CHANNEL = "bench_streams"
INSTALL = f"""
create or replace function public.bench_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('{CHANNEL}', json_build_object(
        'id', new.id, 'completed', new.completed, 'percentage', new.percentage)::text);
    return null;
end $$;
create or replace trigger bench_notify after update on public.streams
    for each row execute function public.bench_notify();
"""
REMOVE = "drop trigger bench_notify on public.streams; drop function public.bench_notify();"


async def changes(database_url: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the id, completed units and percentage at each update of a stream."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(f"listen {CHANNEL}")
        async for notification in connection.notifies():
            yield json.loads(notification.payload)


async def streams_of(database_url: str, org_id: str) -> list[dict[str, Any]]:
    """Return the id, name, completed units and percentage of an organisation's streams, oldest first."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        cursor = await connection.execute(
            "select id::text, name, completed, percentage from streams where org_id = %s order by created_at, id",
            (org_id,),
        )
        columns = ("id", "name", "completed", "percentage")
        return [dict(zip(columns, row, strict=True)) for row in await cursor.fetchall()]
