"""Pending updates: what was reported since the last tick, coalesced in memory and bounded."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from livewatch.delivery.clock import Moment
from livewatch.delivery.operations import Operation, amount_of, encode, new_idempotency_key
from livewatch.reporting.pending_metrics import PendingMetrics

MAX_PENDING_UPDATES = 20_000
MAX_PENDING_LINES = 1_000
MAX_LINES_PER_REQUEST = 200
# Absolute counts of streams and scans.
COUNT_FIELDS = ("completed", "targets_analyzed")


@dataclass
class PendingUpdate:
    """An operation that may still change; its idempotency key dates from its first value."""

    method: str
    path: str
    body: dict[str, Any]
    coalescable: bool = False
    idempotency_key: str = field(default_factory=new_idempotency_key)
    made: Moment = field(default_factory=Moment)

    @property
    def is_end(self) -> bool:
        """Whether it ends its run; the server accepts nothing of the run afterwards."""
        return self.path.endswith("/finish")


class PendingUpdates:
    """Coalesces updates until they are taken. Not thread-safe: the reporter locks.

    Args:
        secret: Text to redact; a program may print its environment.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._updates: dict[str, PendingUpdate] = {}
        self._ended: set[str] = set()
        self._earlier: list[Operation] = []
        self._lines: dict[str, deque[dict[str, str]]] = {}
        self._omitted_lines: dict[str, int] = {}
        self._metrics: dict[str, PendingMetrics] = {}

    def put(self, path: str, fields: Mapping[str, Any], *, coalescable: bool) -> bool:
        """Set fields of the resource at `path`; newer values replace older ones, and `advance` is added.

        Returns:
            Whether an older update was dropped to make room.
        """
        if path in self._ended:
            self._begin_again()
        update = self._updates.get(path)
        if update is None:
            return self._add(path, PendingUpdate("PUT", path, dict(fields), coalescable))
        update.body = merged(update.body, fields)
        update.coalescable = update.coalescable and coalescable
        return False

    def post(self, path: str, body: Mapping[str, Any]) -> bool:
        """Add an event; return whether an older update was dropped to make room."""
        update = PendingUpdate("POST", path, dict(body))
        if update.is_end:
            self._ended.add(path.removesuffix("/finish"))
        return self._add(update.idempotency_key, update)

    def log(self, run: str, level: str, message: str, at: str) -> None:
        """Add a log line; of more than 1,000 lines of a run the newest are kept and the others counted.

        Args:
            run: Reference of the run, as `streams/<slug>`.
            level: Name of the level.
            message: A single line.
            at: ISO 8601 time with zone.
        """
        lines = self._lines.setdefault(run, deque(maxlen=MAX_PENDING_LINES))
        if len(lines) == MAX_PENDING_LINES:
            self._omitted_lines[run] = self._omitted_lines.get(run, 0) + 1
        lines.append({"level": level, "message": message, "at": at})

    def measure(self, run: str, step: int, epoch: float, values: Mapping[str, float | str]) -> bool:
        """Add values of metrics at a step of a run; see `PendingMetrics.add`."""
        return self._metrics.setdefault(run, PendingMetrics()).add(step, epoch, values)

    def operations(self) -> list[Operation]:
        """Encode in order of first report, the metrics and log lines of each run before its end."""
        others = [update for update in self._updates.values() if not update.is_end]
        ends = [update for update in self._updates.values() if update.is_end]
        updates = (*others, *self._metric_posts(), *self._log_posts(), *ends)
        return [*self._earlier, *map(self._operation, updates)]

    def _begin_again(self) -> None:
        """Keep what was reported so far apart: the next run, or attempt, of a path begins after the end of this one."""
        self._earlier = self.operations()[-MAX_PENDING_UPDATES:]
        self._updates, self._lines, self._omitted_lines, self._metrics, self._ended = {}, {}, {}, {}, set()

    def _add(self, name: str, update: PendingUpdate) -> bool:
        is_full = len(self._updates) >= MAX_PENDING_UPDATES
        if is_full:
            self._updates.pop(next(iter(self._updates)))
        self._updates[name] = update
        return is_full

    def _metric_posts(self) -> list[PendingUpdate]:
        return [
            PendingUpdate("POST", "/metrics", body)
            for run, metrics in self._metrics.items()
            for body in metrics.bodies(run)
        ]

    def _log_posts(self) -> list[PendingUpdate]:
        posts = []
        for run, lines in self._lines.items():
            rows = list(lines)
            if omitted := self._omitted_lines.get(run):
                rows.insert(0, {**rows[0], "level": "info", "message": omitted_lines(omitted)})
            for n in range(0, len(rows), MAX_LINES_PER_REQUEST):
                posts.append(PendingUpdate("POST", "/logs", {"run": run, "lines": rows[n : n + MAX_LINES_PER_REQUEST]}))
        return posts

    def _operation(self, update: PendingUpdate) -> Operation:
        body = encode(update.body).replace(self._secret, "[key]")
        return Operation(update.method, update.path, body, update.idempotency_key, update.coalescable, update.made)


def merged(older: Mapping[str, Any], newer: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two bodies of reports, so that one has the effect of both: `advance` counts from the last `completed`."""
    body = {**older, **newer}
    if "begins" not in older:
        body.pop("begins", None)
    if any(name in newer for name in COUNT_FIELDS):
        body.pop("advance", None)
    elif "advance" in newer:
        base = next((name for name in COUNT_FIELDS if name in older), "advance")
        del body["advance"]
        body[base] = amount_of(older.get(base, 0) + newer["advance"]) or older.get(base, 0)
    return body


def omitted_lines(count: int) -> str:
    """The log line that stands for `count` omitted ones."""
    return f"… {count} lines omitted"
