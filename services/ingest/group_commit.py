"""Group commit: operations of requests that wait at the same time share a transaction, if they have the same key."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.errors import DatabaseTimeLimit, LivewatchError
from services.infra.logging import create_shared_task
from services.ingest.keys import IngestKey
from services.ingest.operations import Operation

MAX_OPERATIONS = 64
MAX_TRANSACTIONS_PER_KEY = 4
PATIENCE_SECONDS = 0.05
"""After this wait an operation gets a transaction besides the running ones, which may wait for another's lock."""

COMMIT_DELAY_SECONDS = 0.001
"""Wait between two transactions of a key that has several requests at once: fewer and larger transactions."""

RawAnswer = dict[str, Any]
Write = Callable[[IngestKey, Sequence[Operation]], Awaitable[list[RawAnswer]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitResult:
    """Answer of the database to one operation, and the seconds that it waited for its transaction and in it."""

    answer: RawAnswer
    queue_seconds: float
    database_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Waiting:
    operation: Operation
    written: asyncio.Future[CommitResult]
    since: float


@dataclass(slots=True)
class _Queue:
    """Operations of one key that wait, and its running transactions."""

    key: IngestKey
    waiting: list[_Waiting] = field(default_factory=list)
    transactions: set[asyncio.Task[None]] = field(default_factory=set)
    timer: asyncio.TimerHandle | None = None


class GroupCommit:
    """Writes operations of single requests.

    An operation that comes while none of its key is written starts a transaction; what comes meanwhile shares the next.
    Keys never share one, so that each transaction has the claims of one key. An operation that fails a transaction of
    several is written again by itself, as are the others. Belongs to the running event loop.
    """

    def __init__(self, write: Write) -> None:
        self._write_together = write
        self._queues: dict[UUID, _Queue] = {}

    async def write(self, key: IngestKey, operation: Operation) -> CommitResult:
        """Write an operation; raises what `write` of the constructor raises."""
        queue = self._queues.setdefault(key.id, _Queue(key))
        # A later verification may know other scopes of it.
        queue.key = key
        written: asyncio.Future[CommitResult] = asyncio.get_running_loop().create_future()
        queue.waiting.append(_Waiting(operation=operation, written=written, since=time.perf_counter()))
        if not queue.transactions:
            self._start(queue)
        elif queue.timer is None:
            self._set_timer(queue)
        return await written

    def _start(self, queue: _Queue) -> None:
        task = create_shared_task(self._write_all(queue), name=f"reports of the ingest key {queue.key.id}")
        queue.transactions.add(task)
        task.add_done_callback(lambda _: self._end(queue, task))

    def _end(self, queue: _Queue, task: asyncio.Task[None]) -> None:
        queue.transactions.discard(task)
        if queue.transactions:
            return
        if task.cancelled():
            # The server shuts down.
            for each in queue.waiting:
                each.written.cancel()
        if queue.timer is not None:
            queue.timer.cancel()
        self._queues.pop(queue.key.id, None)

    def _set_timer(self, queue: _Queue) -> None:
        def add_transaction() -> None:
            queue.timer = None
            if not queue.waiting:
                return
            is_late = time.perf_counter() - queue.waiting[0].since >= PATIENCE_SECONDS
            if is_late and len(queue.transactions) < MAX_TRANSACTIONS_PER_KEY:
                self._start(queue)
            self._set_timer(queue)

        queue.timer = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, add_transaction)

    async def _write_all(self, queue: _Queue) -> None:
        """Write what waits, in groups, until nothing does."""
        has_company = False
        while queue.waiting:
            if has_company:
                # Lets the clients that just got their answers join.
                await asyncio.sleep(COMMIT_DELAY_SECONDS)
            group, queue.waiting = queue.waiting[:MAX_OPERATIONS], queue.waiting[MAX_OPERATIONS:]
            group = [each for each in group if not each.written.done()]
            has_company = len(group) > 1
            try:
                await self._write(queue.key, group)
            except asyncio.CancelledError:
                for each in group:
                    each.written.cancel()
                raise
            except Exception as error:
                _fail(group, error)

    async def _write(self, key: IngestKey, group: Sequence[_Waiting]) -> None:
        if not group:
            return
        began = time.perf_counter()
        try:
            answers = await self._write_together(key, [each.operation for each in group])
        except Exception as error:
            if len(group) == 1 or (isinstance(error, LivewatchError) and not _is_of_one(error)):
                raise
            await asyncio.gather(*(self._write_alone(key, each) for each in group))
            return
        took = time.perf_counter() - began
        for each, answer in zip(group, answers, strict=True):
            if not each.written.done():
                each.written.set_result(
                    CommitResult(answer=answer, queue_seconds=began - each.since, database_seconds=took)
                )

    async def _write_alone(self, key: IngestKey, waiting: _Waiting) -> None:
        try:
            await self._write(key, [waiting])
        except Exception as error:
            _fail([waiting], error)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    """Raise an error in the requests of a group."""
    for each in group:
        if not each.written.done():
            each.written.set_exception(error)


def _is_of_one(error: LivewatchError) -> bool:
    """Whether one operation may have failed the others: it waited for a lock until the time limit."""
    return isinstance(error.__cause__, DatabaseTimeLimit)
