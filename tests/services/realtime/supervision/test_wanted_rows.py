"""Rows that are wanted by themselves: a feed holds them however old they are, as long as somebody wants them."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.entities import STREAMS
from services.realtime.supervision import supervisor
from tests.services.realtime.fakes import FakeMember, delete, record, upsert
from tests.services.realtime.supervision.scene import scene, settled
from tests.virtual_time import run

OLD = uuid4()


def full(each: Any) -> None:
    each.database.records["streams"] = [record(uuid4(), 1) for _ in range(STREAMS.limit)]
    each.database.beyond = [record(OLD, 3)]


@pytest.mark.parametrize("is_first", [True, False])
def test_a_wanted_row_is_read_and_stays_through_comparisons(is_first: bool) -> None:
    async def work() -> None:
        async with scene() as each:
            full(each)
            everything = None if is_first else each.subscribe(FakeMember())
            await settled()
            wanted = each.subscribe(FakeMember(), row_id=OLD)
            assert is_first or wanted.is_cut, "it is not known yet"
            await settled()
            assert [row.version for row in wanted.rows()] == [3]
            assert (wanted.is_cut, wanted.is_complete) == (False, True)
            await asyncio.sleep(3 * supervisor.RECONCILE_INTERVAL_SECONDS)
            assert [row.version for row in wanted.rows()] == [3]
            assert each.feed.meter.repaired_rows == 0, "the comparison knows of it"
            each.database.beyond = [record(OLD, 4)]
            each.feed.change(upsert(OLD, 4))
            await settled()
            assert [row.version for row in wanted.rows()] == [4]
            assert everything is None or len(everything.rows()) == STREAMS.limit + 1

    run(work())


def test_a_wanted_row_that_does_not_exist_is_known_not_to() -> None:
    async def work() -> None:
        async with scene() as each:
            full(each)
            missing = each.subscribe(FakeMember(), row_id=UUID(int=1))
            each.statuses.clear()
            await settled()
            assert (missing.rows(), missing.is_cut, missing.is_complete) == ([], False, True)
            assert each.statuses, "its holder was told"
            reads = len(each.database.reads)
            each.subscribe(FakeMember(), row_id=UUID(int=1))
            await settled()
            assert len(each.database.reads) == reads, "nobody asks twice"

    run(work())


def test_a_wanted_row_that_is_deleted_is_gone() -> None:
    async def work() -> None:
        async with scene() as each:
            full(each)
            wanted = each.subscribe(FakeMember(), row_id=OLD)
            await settled()
            each.database.beyond = []
            each.feed.change(delete(OLD, 4))
            await settled()
            assert (wanted.rows(), wanted.is_complete) == ([], True)

    run(work())


def test_a_feed_below_its_limit_reads_no_single_rows() -> None:
    async def work() -> None:
        async with scene() as each:
            each.database.records["streams"] = [record(uuid4(), 1)]
            missing = each.subscribe(FakeMember(), row_id=OLD)
            await settled()
            assert (missing.rows(), missing.is_complete, each.database.reads) == ([], True, [])

    run(work())
