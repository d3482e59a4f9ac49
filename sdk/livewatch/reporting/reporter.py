"""The reporter: samples this process's activities and moves their updates to the disk queue twice a second."""

import logging
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

from livewatch.delivery.artefacts.uploads import MAX_WAITING_BYTES, Upload, Uploads
from livewatch.delivery.client import Client
from livewatch.delivery.delivery_lock import DeliveryLock
from livewatch.delivery.delivery_worker import DeliveryWorker
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.heartbeats import INTERVAL_SECONDS
from livewatch.delivery.operations import Operation, new_idempotency_key
from livewatch.reporting.pending_updates import MAX_PENDING_UPDATES, PendingUpdates
from livewatch.settings import Settings
from livewatch.threads import start_thread

TICK_SECONDS = 0.5
# For each report of an exit handler.
EXIT_FLUSH_SECONDS = 1.0

logger = logging.getLogger("livewatch")


class Source(Protocol):
    """An activity that the reporter samples until it ends."""

    ended: bool

    @property
    def reference(self) -> str:
        """Kind and slug, as `streams/nightly`."""

    @property
    def thread(self) -> int:
        """Identifier of the thread that started it."""

    def sample(self) -> None:
        """Report what changed since the last sample."""

    def on_crash(self, error: BaseException) -> None:
        """End with the exception that ended its thread."""

    def on_exit(self) -> None:
        """End because the process exits."""

    def on_signal(self, name: str) -> None:
        """End because a signal ends the process."""


class Reporter:
    """Accepts updates at any rate from any thread and queues the newest values each tick.

    Memory is bounded: the oldest pending updates are dropped. No method raises, and only `flush` and `close` wait for
    disk or network, for their timeout at most.

    Args:
        settings: Destination and queue file.
        tick_seconds: Interval of samples.
        heartbeat_seconds: Interval of heartbeats.
        is_exiting: Whether the interpreter is shutting down: each report is then delivered at once.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tick_seconds: float = TICK_SECONDS,
        heartbeat_seconds: float = INTERVAL_SECONDS,
        is_exiting: bool = False,
    ) -> None:
        self.id = new_idempotency_key()[:16]
        """Identifier of this process among those that report the same run."""
        self.url = settings.url
        """Root URL of the app."""
        self._is_exiting = is_exiting
        self._secret = settings.key.reveal()
        self._tick_seconds = tick_seconds
        # Reentrant: a finalizer or a signal handler may report wherever this thread is.
        self._lock = threading.RLock()
        self._collecting = threading.RLock()
        self._pending = PendingUpdates(self._secret)
        self._sources: dict[int, Source] = {}
        self._announced: set[str] = set()
        self._backlog: list[Operation] = []
        self._warned: set[str] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.queue = DiskQueue(settings.queue_file, settings.destination)
        self._uploads = Uploads(Client(settings))
        self.worker = DeliveryWorker(
            Client(settings),
            self.queue,
            DeliveryLock(self.queue.lock_file, settings.destination),
            self._active_runs,
            heartbeat_seconds=heartbeat_seconds,
            reporter=self.id,
            uploads=self._uploads,
        )
        self.is_inherited = False
        """Whether it belongs to the parent of this forked process."""

    def put(self, path: str, fields: Mapping[str, Any], *, coalescable: bool = False) -> None:
        """Set fields of the resource at `path`, relative to /api/v1; newer values replace older ones."""
        with self._lock:
            self._after_add(self._pending.put(path, fields, coalescable=coalescable))
        self._deliver_at_exit()

    def post(self, path: str, body: Mapping[str, Any]) -> None:
        """Report an event to `path`, relative to /api/v1."""
        with self._lock:
            self._after_add(self._pending.post(path, body))
        self._deliver_at_exit()

    def log(self, run: str, level: str, message: str, at: str) -> None:
        """Add a line to the log of a run; see `PendingUpdates.log`."""
        with self._lock:
            self._pending.log(run, level, message, at)
            self._ensure_running()
        self._deliver_at_exit()

    def measure(self, run: str, step: int, epoch: float, values: Mapping[str, float | str]) -> None:
        """Add values of metrics at a step of a run; see `PendingUpdates.measure`."""
        with self._lock:
            if self._pending.measure(run, step, epoch, values):
                self._warn_once("too many metrics; the oldest points are dropped")
            self._ensure_running()
        self._deliver_at_exit()

    def upload(self, upload: Upload) -> None:
        """Send an artefact, after the updates that were reported before it."""
        if not self._uploads.add(upload):
            self._warn_once(f"artefacts of {MAX_WAITING_BYTES // 2**20} MiB wait to be sent; further ones are left out")
            return
        with self._lock:
            self._ensure_running()
        self._deliver_at_exit()

    def add_source(self, source: Source) -> None:
        """Sample an activity at every tick until it is removed."""
        with self._lock:
            self._sources[id(source)] = source
            self._ensure_running()

    def remove_source(self, source: Source) -> None:
        """Stop sampling. Idempotent."""
        with self._lock:
            self._sources.pop(id(source), None)

    def sources(self) -> list[Source]:
        """Return the active sources."""
        with self._lock:
            return list(self._sources.values())

    def only_source(self) -> Source | None:
        """Return the active source if there is exactly one."""
        sources = self.sources()
        return sources[0] if len(sources) == 1 else None

    def flush(self, timeout: float) -> bool:
        """Deliver all updates now, waiting at most `timeout` seconds; return whether they were delivered."""
        ends_at = time.monotonic() + timeout
        self._collect(timeout)
        return self.worker.flush(max(0.0, ends_at - time.monotonic()))

    def close(self, timeout: float) -> bool:
        """End all sources and flush for at most `timeout` seconds; undelivered updates stay queued. Idempotent.

        Returns:
            Whether everything was delivered.
        """
        ends_at = time.monotonic() + timeout
        for source in self.sources():
            source.on_exit()
        self._stop.set()
        is_delivered = self.flush(timeout)
        self.worker.close(max(0.0, ends_at - time.monotonic()))
        return is_delivered

    def abandon(self) -> None:
        """Leave everything to the parent in a forked child."""
        self.is_inherited = True
        # Without the lock: a thread that does not exist here may hold it.
        for source in self._sources.values():
            source.ended = True
        self.worker.abandon()

    def _after_add(self, has_dropped: bool) -> None:
        if has_dropped:
            self._warn_once("too many updates; the oldest are dropped")
        self._ensure_running()

    def _deliver_at_exit(self) -> None:
        # Without the lock, which the delivery needs.
        if self._is_exiting and not self._stop.is_set():
            self.flush(EXIT_FLUSH_SECONDS)

    def _ensure_running(self) -> None:
        if self._thread is not None or self._stop.is_set():
            return
        # At the shutdown of the interpreter its exit handler flushes.
        with suppress(RuntimeError):
            self._thread = start_thread(self._run, name="livewatch reporter")

    def _run(self) -> None:
        while not self._stop.wait(self._tick_seconds):
            try:
                self._collect()
            except Exception:
                logger.debug("collecting updates failed", exc_info=True)

    def _collect(self, timeout: float = -1) -> None:
        """Sample the sources and move the pending updates to the queue; give up after `timeout` seconds."""
        # One thread at a time, to keep the order. A signal handler must not wait for a thread that waits for its own.
        if not self._collecting.acquire(timeout=timeout):
            return
        try:
            sources = self.sources()
            for source in sources:
                try:
                    source.sample()
                except Exception:
                    logger.debug("sampling a run failed", exc_info=True)
            with self._lock:
                pending, self._pending = self._pending, PendingUpdates(self._secret)
            operations = [*self._backlog, *pending.operations()]
            if operations:
                is_queued = self.queue.append(operations)
                self._backlog = [] if is_queued else operations[-MAX_PENDING_UPDATES:]
                self._announced = {source.reference for source in sources}
            if operations or self._uploads:
                self.worker.wake()
            if self.queue.dropped_count:
                self._warn_once("the disk queue is full; the oldest updates are dropped")
        finally:
            self._collecting.release()

    def _active_runs(self) -> list[str]:
        # Only what is queued already: the server rejects heartbeats of runs that it does not know.
        return [reference for source in self.sources() if (reference := source.reference) in self._announced]

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            logger.warning("Livewatch: %s", sentence)
