"""Writes in batches: smaller ones on a slow server, again after a conflict, and each row once."""

import asyncio
from collections.abc import Sequence

import pytest

from services.errors import DatabaseBusy, DatabaseFull, DatabaseTimeLimit
from services.infra.postgres.batches import MAX_CONFLICTS, in_batches
from tests.virtual_time import run


class Server:
    """Takes at most `most` rows in time; `conflicts` is how often it is busy before that."""

    def __init__(self, *, most: int, conflicts: int = 0) -> None:
        self.most = most
        self.conflicts = conflicts
        self.written: list[int] = []

    async def write(self, rows: Sequence[int]) -> int:
        await asyncio.sleep(0)
        if self.conflicts:
            self.conflicts -= 1
            raise DatabaseBusy("Another transaction holds the rows.")
        if len(rows) > self.most:
            raise DatabaseTimeLimit("It took too long.")
        self.written += rows
        return len(rows)


async def batches(server: Server, count: int) -> list[int]:
    return [size async for size in in_batches(range(count), 100, server.write)]


def test_every_row_is_written_once_in_order() -> None:
    server = Server(most=1000)
    assert run(batches(server, 250)) == [100, 100, 50]
    assert server.written == list(range(250))


def test_what_takes_too_long_is_tried_with_fewer_rows() -> None:
    server = Server(most=7)
    run(batches(server, 250))
    assert server.written == list(range(250))


def test_a_row_that_takes_too_long_by_itself_is_given_up() -> None:
    with pytest.raises(DatabaseTimeLimit):
        run(batches(Server(most=0), 3))


def test_a_conflict_is_tried_again_but_not_for_ever() -> None:
    server = Server(most=1000, conflicts=MAX_CONFLICTS - 1)
    assert run(batches(server, 10)) == [10]
    with pytest.raises(DatabaseBusy):
        run(batches(Server(most=1000, conflicts=MAX_CONFLICTS), 10))


def test_another_failure_is_not_tried_again() -> None:
    calls = 0

    async def write(rows: Sequence[int]) -> int:
        nonlocal calls
        calls += 1
        raise DatabaseFull("The disk is full.")

    async def work() -> None:
        async for _ in in_batches(range(10), 5, write):
            pass

    with pytest.raises(DatabaseFull):
        run(work())
    assert calls == 1
