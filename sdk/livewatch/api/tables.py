"""What is read of rows of any kind, and of runs: a row, its log, comments and progress."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Generic, TypeVar

from livewatch.api.errors import RejectedError, ServerUnreachableError
from livewatch.api.requests import Requests, Value, path_of
from livewatch.api.rows import Comment, HistoryPoint, LogLine, Row, Run, row_of
from livewatch.delivery.backoff import Backoff

POLL_SECONDS = 1.0
# Lines of several processes may arrive in another order than that of their ids.
LATE_SECONDS = 10.0
MAX_LATE_LINES = 400

R = TypeVar("R", bound=Row)
U = TypeVar("U", bound=Run)
Texts = str | Iterable[str] | None
Time = datetime | date | str | None


class Rows(Generic[R]):
    """Rows of one kind."""

    def __init__(self, requests: Requests, name: str, kind: type[R]) -> None:
        self._requests = requests
        self._name = name
        self._kind = kind

    def get(self, id: str) -> R:
        """Return one row, of runs by slug or id; raises NotFoundError if there is none."""
        values = self._requests.get(path_of(self._name, id))
        if not (isinstance(values.get("id"), str) and isinstance(values.get("url"), str)):
            raise RejectedError(
                f"{self._requests.http.url} sent no {self._kind.__name__}: it is an older version, or no Livewatch",
                status=200,
            )
        return row_of(self._kind, values)

    def select(self, *, limit: int | None = None, **parameters: Value) -> Iterator[R]:
        """Yield rows by the parameters of the HTTP API; `list` names and documents those of its kind."""
        for item in self._requests.items(path_of(self._name), parameters, limit):
            yield row_of(self._kind, item)


class Runs(Rows[U]):
    """Runs of one kind, with what belongs to them."""

    def __init__(self, requests: Requests, name: str, kind: type[U], sleep: Callable[[float], None]) -> None:
        super().__init__(requests, name, kind)
        self._sleep = sleep

    def logs(
        self,
        slug: str,
        *,
        level: Texts = None,
        since: Time = None,
        until: Time = None,
        after: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[LogLine]:
        """Yield the lines of a run's log; `after` is the id of a line."""
        order = "newest" if newest_first else "oldest"
        parameters: dict[str, Value] = {"level": level, "since": since, "until": until, "after": after, "order": order}
        for item in self._requests.items(path_of(self._name, slug, "logs"), parameters, limit):
            yield row_of(LogLine, item)

    def follow_logs(
        self,
        slug: str,
        *,
        level: Texts = None,
        after: int = 0,
        known: Iterable[int] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[LogLine]:
        """Yield the lines of a run's log, also those to come, until the run has finished.

        Args:
            slug: Slug or id of the run.
            level: Levels of the lines.
            after: Only lines with a larger id.
            known: Ids of further lines to leave out.
            clock: Returns seconds.
        """
        # Of this run, also once the job's next one has its address.
        slug = self.get(slug).id
        settled, seen = after, {id: clock() for id in known}
        backoff = Backoff()
        while True:
            try:
                # Asked first: what the run wrote before its end is read after it.
                is_finished = self.get(slug).is_finished
                for line in self.logs(slug, level=level, after=settled):
                    if line.id not in seen:
                        seen[line.id] = clock()
                        yield line
                backoff.reset()
            except ServerUnreachableError:
                self._sleep(backoff.record_failure())
                continue
            for number, id in enumerate(sorted(seen, reverse=True)):
                if number >= MAX_LATE_LINES or clock() - seen[id] > LATE_SECONDS:
                    settled = max(settled, id)
                    del seen[id]
            if is_finished:
                return
            self._sleep(POLL_SECONDS)

    def comments(self, slug: str, *, newest_first: bool = False, limit: int | None = None) -> Iterator[Comment]:
        """Yield what people wrote about a run."""
        order = "newest" if newest_first else "oldest"
        for item in self._requests.items(path_of(self._name, slug, "comments"), {"order": order}, limit):
            yield row_of(Comment, item)


class RunsWithProgress(Runs[U]):
    """Runs that have a history of their progress."""

    def history(
        self, slug: str, *, since: Time = None, until: Time = None, limit: int | None = None
    ) -> Iterator[HistoryPoint]:
        """Yield the points of a run's progress, the oldest first."""
        parameters: dict[str, Value] = {"since": since, "until": until}
        for item in self._requests.items(path_of(self._name, slug, "history"), parameters, limit):
            yield row_of(HistoryPoint, item)
