"""The reading client: one attribute for each kind of row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Generic, TypeVar

from livewatch.api.errors import NotConfiguredError, RejectedError, ServerUnreachableError, rejection_of
from livewatch.api.feed import Feed, FeedEvent, event_of
from livewatch.api.requests import Requests, Value, path_of
from livewatch.api.rows import (
    Activity,
    AgentExecution,
    Alert,
    Comment,
    HistoryPoint,
    LogLine,
    Notification,
    Row,
    Run,
    Scan,
    Stream,
    row_of,
)
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Client as HttpClient
from livewatch.delivery.client import ResponseError, UnreachableError
from livewatch.settings import Settings, SettingsError, require_settings

POLL_SECONDS = 1.0
# Lines of several processes may arrive in another order than that of their ids.
LATE_SECONDS = 10.0
MAX_LATE_LINES = 400

R = TypeVar("R", bound=Row)
U = TypeVar("U", bound=Run)
Texts = str | Iterable[str] | None
Time = datetime | date | str | None


class Client:
    """Reads one server with one key; not thread-safe. Close it, or use it as a context manager.

    Args:
        settings: URL and key; by default those of the environment or the login.
        sleep: Waits for so many seconds.

    Raises:
        NotConfiguredError: URL or key are missing or invalid.
    """

    def __init__(self, settings: Settings | None = None, *, sleep: Callable[[float], None] = time.sleep) -> None:
        try:
            settings = settings or require_settings()
        except SettingsError as error:
            raise NotConfiguredError(str(error)) from error
        self._http = HttpClient(settings)
        self._sleep = sleep
        requests = Requests(self._http, sleep)
        self.streams = Streams(requests, "streams", Stream, sleep)
        self.scans = Scans(requests, "scans", Scan, sleep)
        self.agents = Agents(requests, "agents", AgentExecution, sleep)
        self.alerts = Alerts(requests, "alerts", Alert)
        self.notifications = Notifications(requests, "notifications", Notification)
        self.activities = Activities(requests, "activities", Activity)

    @property
    def url(self) -> str:
        """Root URL of the app; a row's `url` follows it."""
        return self._http.url

    def follow(self, last_id: str | None = None) -> Iterator[FeedEvent]:
        """Yield what changes, from now on and without an end; over interruptions nothing is lost.

        Args:
            last_id: Id of an event, from which on it is told what happened.

        Raises:
            RejectedError: The server refuses the key.
        """
        feed, backoff = Feed(self._http, last_id), Backoff()
        while True:
            try:
                for name, data in feed.connect(backoff.reset):
                    yield event_of(name, data)
            except ResponseError as error:
                if error.response.status != 429 and error.response.status < 500:
                    raise rejection_of(self.url, error.response) from error
            except UnreachableError:
                pass
            self._sleep(backoff.record_failure())

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._http.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"


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


class Streams(RunsWithProgress[Stream]):
    """Streams."""

    def list(
        self,
        *,
        status: Texts = None,
        search: str | None = None,
        job: Texts = None,
        type: Texts = None,
        tag: Texts = None,
        archived: bool | None = False,
        finished: bool | None = None,
        since: Time = None,
        until: Time = None,
        updated_since: Time = None,
        sort: str = "newest",
        limit: int | None = None,
    ) -> Iterator[Stream]:
        """Yield streams, the latest first; pages are read as they are used.

        Args:
            status: One status or several; also `stalled` and `unreachable`.
            search: Words that it contains.
            job: Slug of its job.
            type: Its `stream_type`.
            tag: Tags that it has all.
            archived: Only archived ones, or None for all.
            finished: Only finished ones, or only others.
            since: Only those created from this time on; a time without a zone is one of this machine.
            until: Only those created before this time.
            updated_since: Only those that changed from this time on.
            sort: `newest` or `updated`.
            limit: At most so many.
        """
        return self.select(
            limit=limit,
            status=status,
            q=search,
            job=job,
            type=type,
            tag=tag,
            show=shown(archived),
            finished=finished,
            since=since,
            until=until,
            updated_since=updated_since,
            sort=sort,
        )


class Scans(RunsWithProgress[Scan]):
    """Scans."""

    def list(
        self,
        *,
        status: Texts = None,
        search: str | None = None,
        job: Texts = None,
        stream: Texts = None,
        archived: bool | None = False,
        finished: bool | None = None,
        since: Time = None,
        until: Time = None,
        updated_since: Time = None,
        sort: str = "newest",
        limit: int | None = None,
    ) -> Iterator[Scan]:
        """Yield scans like `Streams.list`; `stream` is the slug or id of a stream."""
        return self.select(
            limit=limit,
            status=status,
            q=search,
            job=job,
            stream=stream,
            show=shown(archived),
            finished=finished,
            since=since,
            until=until,
            updated_since=updated_since,
            sort=sort,
        )


class Agents(Runs[AgentExecution]):
    """Agent executions."""

    def list(
        self,
        *,
        status: Texts = None,
        search: str | None = None,
        job: Texts = None,
        agent: Texts = None,
        stream: Texts = None,
        archived: bool | None = False,
        finished: bool | None = None,
        since: Time = None,
        until: Time = None,
        updated_since: Time = None,
        sort: str = "newest",
        limit: int | None = None,
    ) -> Iterator[AgentExecution]:
        """Yield agent executions like `Streams.list`; `agent` is an `agent_id`."""
        return self.select(
            limit=limit,
            status=status,
            q=search,
            job=job,
            agent=agent,
            stream=stream,
            show=shown(archived),
            finished=finished,
            since=since,
            until=until,
            updated_since=updated_since,
            sort=sort,
        )


class Alerts(Rows[Alert]):
    """Alerts that programs sent."""

    def list(
        self,
        *,
        priority: Texts = None,
        search: str | None = None,
        type: Texts = None,
        stream: Texts = None,
        since: Time = None,
        until: Time = None,
        limit: int | None = None,
    ) -> Iterator[Alert]:
        """Yield alerts, the latest first; `type` is a `signal_type`, `stream` the slug or id of a stream."""
        return self.select(limit=limit, priority=priority, q=search, type=type, stream=stream, since=since, until=until)


class Notifications(Rows[Notification]):
    """Notifications that programs sent."""

    def list(
        self,
        *,
        type: Texts = None,
        search: str | None = None,
        since: Time = None,
        until: Time = None,
        limit: int | None = None,
    ) -> Iterator[Notification]:
        """Yield notifications, the latest first."""
        return self.select(limit=limit, type=type, q=search, since=since, until=until)


class Activities(Rows[Activity]):
    """The statuses that runs took."""

    def list(
        self,
        *,
        kind: Texts = None,
        search: str | None = None,
        stream: Texts = None,
        since: Time = None,
        until: Time = None,
        limit: int | None = None,
    ) -> Iterator[Activity]:
        """Yield activities, the latest first; `kind` is stream, scan or agent."""
        return self.select(limit=limit, kind=kind, q=search, stream=stream, since=since, until=until)


def shown(archived: bool | None) -> str:
    """Return the filter of a choice of archived rows."""
    return {None: "current,archived", False: "current", True: "archived"}[archived]
