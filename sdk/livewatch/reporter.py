"""The reporter: gathers what this process has to tell, twice a second, without ever holding it up."""

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from livewatch.courier import BEAT, Courier
from livewatch.operations import Operation, encode, new_key
from livewatch.settings import Settings
from livewatch.spool import Spool

TICK = 0.5
MAX_DRAFTS = 20_000
LINES_KEPT = 1_000
LINES_OF_A_POST = 200

logger = logging.getLogger("livewatch")


class Source(Protocol):
    """Something that goes on, and is asked twice a second."""

    ended: bool

    @property
    def beat_path(self) -> str: ...

    @property
    def thread(self) -> int: ...

    def sample(self) -> None:
        """Tell the reporter what is new."""

    def crashed(self, error: BaseException) -> None:
        """What it ran in has ended with this exception."""

    def abandoned(self) -> None:
        """The process ends."""


@dataclass
class Draft:
    """An operation that may still change; its key is that of the first word of it."""

    method: str
    path: str
    body: dict[str, Any]
    passing: bool
    key: str = field(default_factory=new_key)


class Reporter:
    """Takes what is told at any rate from any thread; every half second the newest of it goes to the spool.

    It holds no more than a bounded number of drafts; the oldest give way. Nothing that is called from a job raises or
    waits for the disk or the network, except `flush` and `close`, which wait for so many seconds at most.
    """

    def __init__(self, settings: Settings, *, tick: float = TICK, beat: float = BEAT) -> None:
        self._secret = settings.key.reveal()
        self._tick = tick
        # Reentrant: a finalizer or a signal's handler may report wherever this thread is.
        self._lock = threading.RLock()
        self._gathering = threading.RLock()
        self._drafts: dict[str, Draft] = {}
        self._lines: dict[str, deque[dict[str, str]]] = {}
        self._left_out: dict[str, int] = {}
        self._sources: dict[int, Source] = {}
        self._announced: set[str] = set()
        self._backlog: list[Operation] = []
        self._told: set[str] = set()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.spool = Spool(settings.spool, settings.destination)
        self.courier = Courier(settings, self.spool, self._alive, beat=beat)
        self.foreign = False

    def put(self, path: str, fields: Mapping[str, Any], *, passing: bool = False) -> None:
        """Set fields of what `path` names; until it is gathered, newer values replace older ones."""
        with self._lock:
            draft = self._drafts.get(path)
            if draft is None:
                self._draft(path, Draft("PUT", path, dict(fields), passing))
            else:
                draft.body.update(fields)
                draft.passing = draft.passing and passing

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None) -> None:
        """Something that happens once."""
        draft = Draft("POST", path, dict(body), passing=False)
        if key is not None:
            draft.key = key
        with self._lock:
            self._draft(draft.key, draft)

    def log(self, run: str, level: str, message: str, at: str) -> None:
        """Lines of a run; of more than 1,000 in a tick the newest are kept, and how many were left out is said."""
        with self._lock:
            lines = self._lines.setdefault(run, deque(maxlen=LINES_KEPT))
            if len(lines) == LINES_KEPT:
                self._left_out[run] = self._left_out.get(run, 0) + 1
            lines.append({"level": level, "message": message, "at": at})
            self._ensure_running()

    def follow(self, source: Source) -> None:
        """Ask it at every tick, until `forget`."""
        with self._lock:
            self._sources[id(source)] = source
            self._ensure_running()

    def forget(self, source: Source) -> None:
        with self._lock:
            self._sources.pop(id(source), None)

    def sources(self) -> list[Source]:
        with self._lock:
            return list(self._sources.values())

    def only_source(self) -> Source | None:
        """What goes on, when that is one thing only."""
        sources = self.sources()
        return sources[0] if len(sources) == 1 else None

    def flush(self, timeout: float) -> bool:
        """Deliver everything now, waiting at most so many seconds; returns whether it was."""
        self._gather()
        return self.courier.flush(timeout)

    def close(self, timeout: float) -> bool:
        """End every run that goes on, and flush; what cannot be delivered stays in the spool. Idempotent."""
        deadline = time.monotonic() + timeout
        for source in self.sources():
            source.abandoned()
        self._stop.set()
        delivered = self.flush(timeout)
        self.courier.close(max(0.0, deadline - time.monotonic()))
        return delivered

    def abandon(self) -> None:
        """For a forked child: all of this is its parent's."""
        self.foreign = True
        # Without any lock: whoever held it is not here.
        for source in self._sources.values():
            source.ended = True
        self.courier.abandon()

    def _draft(self, name: str, draft: Draft) -> None:
        while len(self._drafts) >= MAX_DRAFTS:
            self._drafts.pop(next(iter(self._drafts)))
            self._tell_once("more happens than can be told; the oldest updates are left out")
        self._drafts[name] = draft
        self._ensure_running()

    def _ensure_running(self) -> None:
        if self._thread is not None or self._stop.is_set():
            return
        thread = threading.Thread(target=self._run, name="livewatch reporter", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # The interpreter is ending; it flushes on its way.
            return
        self._thread = thread

    def _run(self) -> None:
        while not self._stop.wait(self._tick):
            try:
                self._gather()
            except Exception:
                logger.debug("updates could not be gathered", exc_info=True)

    def _gather(self) -> None:
        """Move what was told to the spool, in the order in which it was first told."""
        # One at a time, so that the order stays.
        with self._gathering:
            sources = self.sources()
            for source in sources:
                try:
                    source.sample()
                except Exception:
                    logger.debug("a run could not be asked", exc_info=True)
            with self._lock:
                drafts, self._drafts = self._drafts, {}
                lines, self._lines = self._lines, {}
                left_out, self._left_out = self._left_out, {}
            operations = [*self._backlog, *self._operations(drafts, lines, left_out)]
            if operations:
                kept = self.spool.append(operations)
                self._backlog = [] if kept else operations[-MAX_DRAFTS:]
                self._announced = {source.beat_path for source in sources}
                self.courier.wake()
            if self.spool.dropped:
                self._tell_once("the spool is full; the oldest updates are left out")

    def _operations(
        self, drafts: dict[str, Draft], lines: dict[str, deque[dict[str, str]]], left_out: dict[str, int]
    ) -> list[Operation]:
        # The lines of a run stand before its end, which is the last that the server takes of it.
        ordered = sorted(drafts.values(), key=lambda draft: draft.path.endswith("/finish"))
        ends = [draft for draft in ordered if draft.path.endswith("/finish")]
        others = ordered[: len(ordered) - len(ends)]
        return [*map(self._operation, others), *self._posts(lines, left_out), *map(self._operation, ends)]

    def _posts(self, lines: dict[str, deque[dict[str, str]]], left_out: dict[str, int]) -> list[Operation]:
        posts = []
        for run, kept in lines.items():
            rows = list(kept)
            if left_out.get(run):
                rows.insert(0, {**rows[0], "level": "info", "message": f"… {left_out[run]} lines left out"})
            for n in range(0, len(rows), LINES_OF_A_POST):
                body = {"run": run, "lines": rows[n : n + LINES_OF_A_POST]}
                posts.append(self._operation(Draft("POST", "/logs", body, passing=False)))
        return posts

    def _operation(self, draft: Draft) -> Operation:
        # A job may print its environment.
        body = encode(draft.body).replace(self._secret, "[key]")
        return Operation(draft.method, draft.path, body, draft.key, draft.passing)

    def _alive(self) -> list[str]:
        # Only those that the spool knows of: a heartbeat of a run that is not announced yet is an error.
        return [path for source in self.sources() if (path := source.beat_path) in self._announced]

    def _tell_once(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            logger.warning("Livewatch: %s", sentence)
