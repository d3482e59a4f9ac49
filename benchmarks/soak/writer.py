"""Writer of a soak: steady changes through the database, and when each value was superseded."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID

import psycopg

CHANGE = "update streams set completed = completed + 1 where id = %s returning completed"
RECONNECT_SECONDS = 0.2


class Writer:
    """Increases the streams' `completed` one after another, `rate` times per second, through faults of PostgreSQL."""

    def __init__(self, database_url: str, streams: Sequence[UUID], *, rate: float) -> None:
        self.changes = 0
        self._url = database_url
        self._streams = streams
        self._rate = rate
        self._committed_at: dict[str, list[float]] = defaultdict(list)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            try:
                await self._write()
            except psycopg.Error:
                await asyncio.sleep(RECONNECT_SECONDS)

    def age(self, shown: dict[str, float], at: float) -> float:
        """Return the seconds since the oldest of the shown values was superseded; 0 if all are the newest."""
        superseded = []
        for id, value in shown.items():
            committed_at = self._committed_at[id]
            # The first value of the list is that of the first change.
            superseded += committed_at[int(value) : int(value) + 1]
        return max(0.0, at - min(superseded, default=at))

    async def values(self) -> dict[str, float]:
        """Read the values from the database."""
        async with await self._connect() as connection:
            cursor = await connection.execute(
                "select id::text, completed::float8 from streams where id = any(%s)", (list(self._streams),)
            )
            return dict(await cursor.fetchall())

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(self._url, autocommit=True, connect_timeout=5)

    async def _write(self) -> None:
        # A change of the last connection may have been committed without an answer.
        for id, value in (await self.values()).items():
            self._note(id, int(value))
        async with await self._connect() as connection:
            due = time.monotonic()
            while True:
                due = max(due + 1 / self._rate, time.monotonic() - 1)
                await asyncio.sleep(due - time.monotonic())
                stream = self._streams[self.changes % len(self._streams)]
                row = await (await connection.execute(CHANGE, (stream,))).fetchone()
                assert row
                self._note(str(stream), int(row[0]))
                self.changes += 1

    def _note(self, id: str, value: int) -> None:
        committed_at = self._committed_at[id]
        committed_at += [time.time()] * (value - len(committed_at))
