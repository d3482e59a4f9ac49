"""Group commit: what waits at the same time shares a transaction of its key; each fails by itself."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import pytest

from services.errors import DatabaseTimeLimit, IngestRefused
from services.ingest import Code, IngestKey, Operation, Target
from services.ingest.group_commit import MAX_OPERATIONS, MAX_TRANSACTIONS_PER_KEY, CommitResult, GroupCommit, RawAnswer
from tests.world import until


def a_key() -> IngestKey:
    return IngestKey(id=uuid4(), org_id=uuid4(), org_name="Ours", label="key", scopes=frozenset())


def report(slug: str) -> Operation:
    return Operation(target=Target.STREAMS, slug=slug, body={})


class FakeDatabase:
    """Writes as soon as it is open; refuses or fails by the slugs of a transaction."""

    def __init__(self) -> None:
        self.transactions: list[tuple[IngestKey, list[str | None]]] = []
        self.failures: dict[str, Exception] = {}
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, key: IngestKey, operations: Sequence[Operation]) -> list[RawAnswer]:
        slugs = [operation.slug for operation in operations]
        self.transactions.append((key, slugs))
        await self.open.wait()
        for slug in slugs:
            if failure := self.failures.get(slug or ""):
                raise failure
        return [{"slug": slug} for slug in slugs]


async def write_all(commit: GroupCommit, key: IngestKey, *slugs: str) -> list[CommitResult | BaseException]:
    return await asyncio.gather(*(commit.write(key, report(slug)) for slug in slugs), return_exceptions=True)


def answers(written: Sequence[CommitResult | BaseException]) -> list[object]:
    return [each.answer["slug"] if isinstance(each, CommitResult) else type(each) for each in written]


async def test_each_request_gets_its_own_answer_from_a_shared_transaction() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    database.open.clear()
    first = asyncio.create_task(commit.write(key, report("first")))
    await until(lambda: database.transactions)
    others = asyncio.create_task(write_all(commit, key, *"abcdef"))
    await asyncio.sleep(0)
    database.open.set()
    assert answers(await others) == list("abcdef")
    assert (await first).answer == {"slug": "first"}
    assert [slugs for _, slugs in database.transactions] == [["first"], list("abcdef")]


async def test_a_transaction_has_operations_of_one_key() -> None:
    database, keys = FakeDatabase(), [a_key(), a_key()]
    commit = GroupCommit(database.write)
    await asyncio.gather(*(commit.write(keys[n % 2], report(str(n % 2))) for n in range(200)))
    for key, slugs in database.transactions:
        assert set(slugs) == {str(keys.index(key))}
        assert len(slugs) <= MAX_OPERATIONS


async def test_an_operation_that_fails_a_transaction_fails_by_itself() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    database.failures["bad"] = ZeroDivisionError("a bug")
    assert answers(await write_all(commit, key, "a", "bad", "b")) == ["a", ZeroDivisionError, "b"]


async def test_one_that_waits_for_a_lock_until_the_limit_fails_by_itself() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    limit = IngestRefused(Code.UNAVAILABLE, "Nothing was written.")
    limit.__cause__ = DatabaseTimeLimit("It took longer.")
    database.failures["locked"] = limit
    assert answers(await write_all(commit, key, "a", "locked", "b")) == ["a", IngestRefused, "b"]


async def test_an_outage_fails_all_at_once_without_another_try() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    database.failures["a"] = IngestRefused(Code.UNAVAILABLE, "Nothing was written.")
    assert answers(await write_all(commit, key, "a", "b", "c")) == [IngestRefused] * 3
    assert len(database.transactions) == 1
    # And the next request is written again.
    database.failures.clear()
    assert answers(await write_all(commit, key, "a")) == ["a"]


async def test_a_transaction_that_takes_long_is_overtaken_by_few_others() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    database.open.clear()
    written = asyncio.create_task(commit.write(key, report("0")))
    await until(lambda: len(database.transactions) == 1)
    later = []
    for number in range(1, MAX_TRANSACTIONS_PER_KEY):
        later.append(asyncio.create_task(commit.write(key, report(str(number)))))
        await until(lambda number=number: len(database.transactions) == number + 1)  # type: ignore[misc]
    later.append(asyncio.create_task(commit.write(key, report("waits"))))
    await asyncio.sleep(0.2)
    assert len(database.transactions) == MAX_TRANSACTIONS_PER_KEY
    database.open.set()
    assert answers([await written, *await asyncio.gather(*later)])[-1] == "waits"


async def test_a_request_that_is_gone_is_not_written_and_the_others_are() -> None:
    database, key = FakeDatabase(), a_key()
    commit = GroupCommit(database.write)
    database.open.clear()
    first = asyncio.create_task(commit.write(key, report("first")))
    await until(lambda: database.transactions)
    gone, stays = (asyncio.create_task(commit.write(key, report(slug))) for slug in ("gone", "stays"))
    await asyncio.sleep(0)
    gone.cancel()
    database.open.set()
    assert (await stays).answer == {"slug": "stays"}
    with pytest.raises(asyncio.CancelledError):
        await gone
    await first
    assert [slugs for _, slugs in database.transactions] == [["first"], ["stays"]]
