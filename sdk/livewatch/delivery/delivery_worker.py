"""The delivery worker: a thread that sends the queue in order and heartbeats for active runs."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from livewatch.delivery.artefacts.uploads import Uploads
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.batches import BatchSender, Transport
from livewatch.delivery.client import UnreachableError
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.errors import DeliveryError, LockedError
from livewatch.delivery.heartbeats import INTERVAL_SECONDS, Heartbeats
from livewatch.threads import start_thread

UNEXPECTED_RETRY_SECONDS = 30.0
# While another process delivers, which may end at any time.
LOCKED_RETRY_SECONDS = 0.2

logger = logging.getLogger("livewatch")


class DeliveryWorker:
    """Delivers until closed, from a thread that starts with the first `wake`. Bounds every wait and never raises.

    Owns the transport, the queue and the lock, and closes them.

    Args:
        transport: Sends requests.
        queue: Holds the operations.
        lock: Excludes other processes that share the queue.
        active_runs: Returns references (`streams/<slug>`) of this process's active runs, for their heartbeats.
        heartbeat_seconds: Interval of heartbeats, declared to the server with each.
        reporter: Identifier of this process, for runs that it shares with others.
        uploads: Artefacts to send beside the queue, each before its run's end.
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
        heartbeat_seconds: float = INTERVAL_SECONDS,
        reporter: str = "",
        uploads: Uploads | None = None,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._queue = queue
        self._lock = lock
        self._uploads = uploads
        self._batches = BatchSender(transport, queue)
        self._heartbeats = Heartbeats(active_runs, interval_seconds=heartbeat_seconds, reporter=reporter, clock=clock)
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
                # At the shutdown of the interpreter `flush` delivers in its own thread.
                with suppress(RuntimeError):
                    self._thread = start_thread(self._run, name="livewatch delivery")

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
        return not self._queue.pending_count(own=True) and not self._uploads

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
        if self._uploads is not None:
            self._uploads.abandon()

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
        if self._uploads is not None:
            self._uploads.close()
        self._queue.close()

    def _due_at(self) -> float:
        return max(self._backoff.retry_at, 0.0 if self._has_work else self._heartbeats.due_at)

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
            self._batches.send([], self._heartbeats.due())
            return
        try:
            is_last = False
            problem: DeliveryError | None = None
            while not is_last and not self._is_closing:
                entries = self._batches.next_batch()
                is_last = self._queue.pending_count() <= len(entries)
                if self._uploads and problem is None:
                    # After the reports of their runs, and before the ends, upon which pages read for the last time.
                    ends = (n for n, entry in enumerate(entries) if entry.operation.path.endswith("/finish"))
                    first = next(ends, len(entries))
                    self._batches.send(entries[:first], [])
                    entries = entries[first:]
                    problem = self._uploads.send()
                # Heartbeats come last: the server must know their runs.
                self._batches.send(entries, self._heartbeats.due() if is_last else [])
            if problem is not None:
                raise problem
        finally:
            self._lock.release()

    def _warn(self, error: DeliveryError) -> None:
        """Warn once per process: the log is the program's own."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("Livewatch delivery failed; updates stay queued. %s.", error.reason)
