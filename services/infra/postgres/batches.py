"""Writes of many rows in batches, each of which ends well within the time limit of a statement."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TypeVar

from services.errors import DatabaseBusy, DatabaseTimeLimit

MAX_CONFLICTS = 5
CONFLICT_PAUSE_SECONDS = 0.2
T = TypeVar("T")
Row = TypeVar("Row")


class BatchSize:
    """Rows of one statement: fewer after one that took too long, for instance on a busy server.

    Args:
        rows: Number of rows to begin with.
    """

    def __init__(self, rows: int) -> None:
        self.rows = rows

    async def run(self, write: Callable[[int], Awaitable[T]]) -> T:
        """Call `write` with the number of rows: with fewer after a time limit, and once more after a conflict.

        Raises:
            DatabaseTimeLimit: One row alone takes too long.
            DatabaseBusy: Other transactions keep the rows.
        """
        conflicts = 0
        while True:
            try:
                return await write(self.rows)
            except DatabaseTimeLimit:
                if self.rows == 1:
                    raise
                self.rows = max(1, self.rows // 4)
            except DatabaseBusy:
                conflicts += 1
                if conflicts == MAX_CONFLICTS:
                    raise
                await asyncio.sleep(conflicts * CONFLICT_PAUSE_SECONDS)


async def in_batches(
    rows: Sequence[Row], size: int, write: Callable[[Sequence[Row]], Awaitable[T]]
) -> AsyncIterator[T]:
    """Yield the result of `write` for one batch after the other; see `BatchSize.run`."""
    batch_size, position = BatchSize(rows=size), 0

    async def write_next(count: int) -> tuple[int, T]:
        return count, await write(rows[position : position + count])

    while position < len(rows):
        count, result = await batch_size.run(write_next)
        position += count
        yield result
