"""The reading client: one attribute for each kind of row."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from livewatch.api.errors import NotConfiguredError, rejection_of
from livewatch.api.feed import Feed, FeedEvent, event_of
from livewatch.api.lists import Activities, Agents, Alerts, Notifications, Scans, Streams
from livewatch.api.requests import Requests
from livewatch.api.rows import Activity, AgentExecution, Alert, Notification, Scan, Stream
from livewatch.delivery.backoff import Backoff
from livewatch.delivery.client import Client as HttpClient
from livewatch.delivery.client import ResponseError, UnreachableError
from livewatch.settings import Settings, SettingsError, require_settings


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
