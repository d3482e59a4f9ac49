"""The delivery worker: a thread that sends the queue in order and heartbeats for active runs."""

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Response, UnreachableError
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.disk_queue import DiskQueue, Entry
from livewatch.delivery.errors import DeliveryError, LockedError, MisconfiguredError
from livewatch.delivery.operations import Operation, encode, encode_batch, new_idempotency_key

MAX_BATCH_OPERATIONS = 500
MAX_BATCH_BYTES = 600 * 1024
# Of an operation that fails while others of its batch succeed.
MAX_ATTEMPTS = 3
# After an operation that the server postpones without saying for how long.
POSTPONED_RETRY_SECONDS = 1.0
UNEXPECTED_RETRY_SECONDS = 30.0
# While another process delivers, which may end at any time.
LOCKED_RETRY_SECONDS = 0.2
HEARTBEAT_SECONDS = 15.0

logger = logging.getLogger("livewatch")


class Transport(Protocol):
    """What the worker needs of the HTTP client."""

    @property
    def url(self) -> str: ...
    def request(self, method: str, path: str, body: str | None = None, /) -> Response: ...
    def close(self) -> None: ...
    def abandon(self) -> None: ...


class DeliveryWorker:
    """Delivers until closed, from a thread that starts with the first `wake`. Bounds every wait and never raises.

    Owns the transport, the queue and the lock, and closes them.

    Args:
        transport: Sends requests.
        queue: Holds the operations.
        lock: Excludes other processes that share the queue.
        active_runs: Returns references (`streams/<slug>`) of this process's active runs. Each gets a heartbeat at
            once and then every `heartbeat_seconds`.
        heartbeat_seconds: Interval of heartbeats, declared to the server with each.
        backoff: Schedules retries, by `clock`.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        transport: Transport,
        queue: DiskQueue,
        lock: DeliveryLock,
        active_runs: Callable[[], list[str]],
        *,
        heartbeat_seconds: float = HEARTBEAT_SECONDS,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._queue = queue
        self._lock = lock
        self._active_runs = active_runs
        self._heartbeat_seconds = heartbeat_seconds
        self._heartbeat_at = math.inf
        self._heartbeat_sent: set[str] = set()
        self._backoff = backoff or Backoff(clock=clock)
        self._clock = clock
        self._condition = threading.Condition()
        self._thread: threading.Thread | None = None
        self._has_work = False
        self._flushes_requested = 0
        self._flushes_done = 0
        self._has_warned = False
        self._is_closing = False
        self.last_error: DeliveryError | None = None
        """Why the last round failed; None if it succeeded."""

    def wake(self) -> None:
        """Start a round as soon as the backoff allows it: operations were queued, or a run started."""
        with self._condition:
            self._has_work = True
            self._condition.notify_all()
            if self._thread is None and not self._is_closing:
                thread = threading.Thread(target=self._run, name="livewatch delivery", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # The interpreter is shutting down: `flush` delivers in its own thread.
                    return
                self._thread = thread

    def flush(self, timeout: float) -> bool:
        """Start a round now, despite the backoff, and wait for its end.

        A wait that the server requested is respected: the call returns at once if it exceeds `timeout`.

        Args:
            timeout: Most seconds to wait.

        Returns:
            Whether everything that this process queued was delivered.
        """
        with self._condition:
            if self.last_error is None or not self.last_error.is_requested:
                self._backoff.retry_now()
            elif self._backoff.retry_at > self._clock() + timeout:
                return False
            self._flushes_requested += 1
            requested = self._flushes_requested
        self.wake()
        if self._thread is None:
            self.deliver()
        with self._condition:
            self._condition.wait_for(lambda: self._flushes_done >= requested or self._is_closing, timeout)
        return not self._queue.pending_count(own=True)

    def deliver(self) -> None:
        """Run one round in this thread and schedule the next."""
        with self._condition:
            requested, self._has_work = self._flushes_requested, False
        error: DeliveryError | None = None
        try:
            self._deliver_queue()
        except DeliveryError as failure:
            error = failure.with_traceback(None)
        except UnreachableError as failure:
            error = DeliveryError(str(failure))
        except Exception:
            logger.debug("delivery failed unexpectedly", exc_info=True)
            error = DeliveryError("unexpected error", retry_after=UNEXPECTED_RETRY_SECONDS)
        with self._condition:
            self._schedule(error, requested)
            self._condition.notify_all()

    def close(self, timeout: float = 0.0) -> None:
        """Start no further round; wait up to `timeout` seconds for one in progress. Idempotent."""
        with self._condition:
            self._is_closing = True
            self._condition.notify_all()
        if self._thread is None:
            self._release()
        else:
            self._thread.join(timeout)

    def abandon(self) -> None:
        """Drop the parent's connection and lock in a forked child."""
        self._is_closing = True
        self._lock.close()
        self._transport.abandon()

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._is_closing and (wait := self._due_at() - self._clock()) > 0:
                    self._condition.wait(min(wait, threading.TIMEOUT_MAX))
                if self._is_closing:
                    break
            self.deliver()
        self._release()

    def _release(self) -> None:
        self._lock.close()
        self._transport.close()
        self._queue.close()

    def _due_at(self) -> float:
        return max(self._backoff.retry_at, 0.0 if self._has_work else self._heartbeat_at)

    def _schedule(self, error: DeliveryError | None, requested: int) -> None:
        """Set when the next round starts, after one that served the flushes up to `requested`."""
        self.last_error = error
        if error is None:
            self._flushes_done = requested
            self._backoff.reset()
            return
        self._has_work = True
        if isinstance(error, LockedError):
            self._backoff.postpone(LOCKED_RETRY_SECONDS)
            return
        self._warn(error)
        self._flushes_done = requested
        self._backoff.record_failure(error.retry_after)
        if self._flushes_requested > requested and not error.is_requested:
            # A flush was called during the round: its own round is not to wait for the backoff.
            self._backoff.retry_now()

    def _deliver_queue(self) -> None:
        """Deliver until the queue is empty.

        Raises:
            DeliveryError: The first failure.
            UnreachableError: The server did not answer.
        """
        if not self._lock.acquire():
            if self._queue.pending_count(own=True):
                raise LockedError("another process is delivering")
            self._send([], self._heartbeats())
            return
        try:
            is_last = False
            while not is_last and not self._is_closing:
                entries = self._queue.peek(MAX_BATCH_OPERATIONS, MAX_BATCH_BYTES)
                is_last = self._queue.pending_count() <= len(entries)
                # Heartbeats come last: the server must know their runs.
                self._send(entries, self._heartbeats() if is_last else [])
        finally:
            self._lock.release()

    def _send(self, entries: Sequence[Entry], heartbeats: Sequence[Operation]) -> None:
        """Send one batch and acknowledge its entries as the server answered."""
        operations = [*(entry.operation for entry in entries), *heartbeats]
        if not operations:
            return
        response = self._transport.request("POST", "/batch", encode_batch(operations))
        results = response.body.get("results") if isinstance(response.body, dict) else None
        if response.status == 200 and isinstance(results, list) and len(results) == len(operations):
            self._acknowledge(entries, [_result(each) for each in results])
        elif response.status in (400, 413, 422) and entries:
            self._bisect(entries, response)
        else:
            raise self._error(response)

    def _bisect(self, entries: Sequence[Entry], response: Response) -> None:
        """Halve a batch that was rejected as a whole until the invalid operation is found."""
        if len(entries) == 1:
            self._reject([(entries[0], response.error)])
            return
        half = len(entries) // 2
        self._send(entries[:half], [])
        self._send(entries[half:], [])

    def _reject(self, rejected: Sequence[tuple[Entry, str]]) -> None:
        for entry, reason in rejected:
            logger.warning("Livewatch rejected %s: %s", entry.operation.path, reason)
        self._queue.acknowledge(rejected=rejected)

    def _acknowledge(self, entries: Sequence[Entry], responses: Sequence[Response]) -> None:
        delivered, rejected, failed = [], [], []
        error: DeliveryError | None = None
        superseded: set[str] = set()
        # The newest first: what it superseded is known when an older one is looked at.
        for entry, response in reversed(list(zip(entries, responses, strict=False))):
            operation = entry.operation
            if response.status < 300:
                delivered.append(entry)
                if operation.coalescable:
                    superseded.add(operation.path)
            elif operation.coalescable and operation.path in superseded:
                # A retry would overwrite the newer value.
                delivered.append(entry)
            elif response.status in (429, 503):
                error = DeliveryError(response.error, retry_after=POSTPONED_RETRY_SECONDS, is_requested=True)
            elif response.status >= 500 and entry.attempts + 1 < MAX_ATTEMPTS:
                failed.append(entry)
                error = DeliveryError(response.error)
            else:
                rejected.append((entry, response.error))
        self._queue.acknowledge(delivered=delivered, failed=failed)
        self._reject(rejected)
        if error is not None:
            raise error

    def _heartbeats(self) -> list[Operation]:
        """Make heartbeats for new runs, or for all runs when the interval is over."""
        runs, now = self._active_runs(), self._clock()
        is_due = now >= self._heartbeat_at
        due = runs if is_due else [run for run in runs if run not in self._heartbeat_sent]
        self._heartbeat_sent = set(runs)
        if is_due or not runs or self._heartbeat_at == math.inf:
            self._heartbeat_at = now + self._heartbeat_seconds if runs else math.inf
        return [
            Operation(
                "POST",
                "/heartbeats",
                encode({"runs": due[n : n + MAX_BATCH_OPERATIONS], "interval": self._heartbeat_seconds}),
                new_idempotency_key(),
            )
            for n in range(0, len(due), MAX_BATCH_OPERATIONS)
        ]

    def _error(self, response: Response) -> DeliveryError:
        if response.status == 429 or response.status >= 500:
            retry_after = response.retry_after
            return DeliveryError(response.error, retry_after=retry_after, is_requested=retry_after is not None)
        url = self._transport.url
        if response.status in (401, 403):
            return MisconfiguredError(f"{url} rejected LIVEWATCH_KEY: {response.error}")
        if response.location:
            return MisconfiguredError(f"{url} redirects to {response.location}: set LIVEWATCH_URL to that")
        return MisconfiguredError(f"{url} is not a Livewatch API, or an older version: {response.error}")

    def _warn(self, error: DeliveryError) -> None:
        """Warn once per process: the log is the program's own."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("Livewatch delivery failed; updates stay queued. %s.", error.reason)


def _result(result: object) -> Response:
    if not isinstance(result, dict) or not isinstance(result.get("status"), int):
        return Response(status=500, body=None)
    return Response(status=result["status"], body=result.get("body"))
