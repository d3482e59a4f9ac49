"""The feed of changes: server-sent events, taken up where the last connection ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from livewatch.api.rows import row_of
from livewatch.delivery.client import Client, ResponseError

# The server sends a keep-alive comment every few seconds.
MAX_SILENCE_SECONDS = 20.0
MAX_REMEMBERED_RUNS = 10_000


@dataclass(frozen=True)
class FeedChange:
    """The current state of a run that changed; `kind` is stream, scan or agent."""

    at: datetime
    kind: str
    id: str
    slug: str | None
    name: str
    status: str
    percent: float | None
    completed: float | None
    total: float | None
    unit: str | None
    step: str | None
    error: str | None
    version: int
    url: str


@dataclass(frozen=True)
class FeedDeletion:
    """A run that was deleted."""

    at: datetime
    kind: str
    id: str
    slug: str | None
    name: str
    version: int


@dataclass(frozen=True)
class FeedReset:
    """More happened than the server can tell, as after a week without it: read the lists again."""

    message: str


FeedEvent = FeedChange | FeedDeletion | FeedReset
EVENTS: dict[str, type[FeedChange] | type[FeedDeletion] | type[FeedReset]] = {
    "change": FeedChange,
    "delete": FeedDeletion,
    "reset": FeedReset,
}


class Feed:
    """Reads connections of the feed one after the other; each goes on where the one before ended.

    Attributes:
        last_id: Id of the last event; None before the first.
    """

    def __init__(self, client: Client, last_id: str | None = None) -> None:
        self._client = client
        self.last_id = last_id
        self._versions: dict[str, int] = {}

    def connect(self, on_data: Callable[[], None] = lambda: None) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and data of each event of one connection, without what a connection before has told.

        `on_data` is called with every line, also with those that keep the connection alive.

        Raises:
            ResponseError: The status is not 200.
            UnreachableError: The connection failed or was lost.
        """
        try:
            for name, data in self._read(on_data):
                if self._is_new(data):
                    yield name, data
        except ResponseError as error:
            if error.response.status != 422 or self.last_id is None:
                raise
            # Of another server, or of another time of this one: begin now.
            self.last_id = None
            yield "reset", {"message": str(error)}

    def _read(self, on_data: Callable[[], None]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the events of a server-sent event stream.

        Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
        """
        headers = {} if self.last_id is None else {"Last-Event-ID": self.last_id}
        event, id, data = "", self.last_id, ""
        for line in self._client.listen("/feed", timeout=MAX_SILENCE_SECONDS, headers=headers):
            on_data()
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data = value
            elif name == "id":
                id = value
            elif not line:
                if event in EVENTS:
                    with suppress(ValueError):
                        parsed = json.loads(data)
                        if isinstance(parsed, dict):
                            yield event, parsed
                # After the event, whose reader may end amid it.
                event, self.last_id, data = "", id, ""

    def _is_new(self, data: dict[str, Any]) -> bool:
        id, version = data.get("id"), data.get("version")
        if not isinstance(id, str) or not isinstance(version, int):
            return True
        if version <= self._versions.pop(id, -1):
            self._versions[id] = version
            return False
        self._versions[id] = version
        while len(self._versions) > MAX_REMEMBERED_RUNS:
            del self._versions[next(iter(self._versions))]
        return True


def event_of(name: str, data: dict[str, Any]) -> FeedEvent:
    """Return the value of an event."""
    return row_of(EVENTS[name], data)
