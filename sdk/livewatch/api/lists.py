"""The lists of each kind of row, with their filters."""

from __future__ import annotations

from collections.abc import Iterator

from livewatch.api.rows import Activity, AgentExecution, Alert, Notification, Scan, Stream
from livewatch.api.tables import Rows, Runs, RunsWithProgress, Texts, Time


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
