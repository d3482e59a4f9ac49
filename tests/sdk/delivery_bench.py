"""A delivery worker on a bench: a fake transport, lock and clock, and a queue in memory."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Response
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation, new_idempotency_key

from tests.clock import Clock

URL = "http://livewatch.test"
Batch = list[dict[str, Any]]


def accept(batch: Batch) -> Response:
    return Response(200, {"results": [{"status": 200, "body": {}} for _ in batch]})


def answering(**statuses: int) -> Callable[[Batch], Response]:
    """Answer each operation with the status given for the last segment of its path, else 200."""

    def answer(batch: Batch) -> Response:
        found = [statuses.get(each["path"].rpartition("/")[2], 200) for each in batch]
        return Response(200, {"results": [{"status": status, "body": refusal("no")} for status in found]})

    return answer


def refusal(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


@dataclass
class FakeTransport:
    """Answer batches by `answer`, which may raise; record batches and calls of `close` and `abandon`."""

    answer: Callable[[Batch], Response] = accept
    batches: list[Batch] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    url: str = URL

    def request(self, method: str, path: str, body: str | None = None, /) -> Response:
        assert (method, path) == ("POST", "/batch")
        batch = json.loads(body or "")["operations"]
        self.batches.append(batch)
        return self.answer(batch)

    def close(self) -> None:
        self.ended.append("close")

    def abandon(self) -> None:
        self.ended.append("abandon")

    @property
    def paths(self) -> list[list[str]]:
        return [[each["path"] for each in batch] for batch in self.batches]


class FakeLock(DeliveryLock):
    """A lock that another process may hold."""

    def __init__(self) -> None:
        super().__init__(None, "0000000")
        self.is_held_elsewhere = False
        self.is_held = False
        self.is_closed = False

    def acquire(self) -> bool:
        self.is_held = not self.is_held_elsewhere
        return self.is_held

    def release(self) -> None:
        self.is_held = False

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Bench:
    """A worker with a fake transport, lock and clock and a queue in memory."""

    transport: FakeTransport
    queue: DiskQueue
    lock: FakeLock
    clock: Clock
    runs: list[str]
    backoff: Backoff
    worker: DeliveryWorker

    def add(self, *names: str, coalescable: bool = False, method: str = "POST", body: str = "{}") -> None:
        self.queue.append([Operation(method, f"/x/{name}", body, new_idempotency_key(), coalescable) for name in names])

    def queued(self) -> list[str]:
        return [entry.operation.path.rpartition("/")[2] for entry in self.queue.peek(10_000, 10**9)]

    def delay(self) -> float:
        """Seconds until the next round."""
        return round(self.backoff.retry_at - self.clock(), 6)
