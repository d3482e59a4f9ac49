"""The base of hooks, which follows a connection status; and the heartbeat hook, which shows what the probes measure."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self

from components.window.live_element import on_slot_delete
from components.window.window import Window
from services.entities import ConnectionStatus, Topic
from services.realtime import FeedStatus
from services.realtime.status import worst


class StatusHook(ABC):
    """A frame part for a page's own code; ends with the slot that it was made in, at the latest with its window.

    Args:
        window: The window whose frames it joins.
        on_change: Called with the hook after something has changed, while the window is visible.
    """

    def __init__(self, window: Window, on_change: Callable[[Self], None] | None) -> None:
        self._window = window
        self._on_change: Callable[[Any], None] | None = on_change
        self._is_dirty = False
        window.add(self, follows_status=True)
        on_slot_delete(self.close)

    @property
    @abstractmethod
    def status(self) -> FeedStatus:
        """The status of the connection."""

    @property
    def error(self) -> str | None:
        """Why it is not connected, as a sentence; None while connected or not yet tried."""
        return self.status.cause or None

    @property
    def is_connected(self) -> bool:
        """Whether the connection stands."""
        return self.status.status is ConnectionStatus.CONNECTED

    def close(self) -> None:
        """End; idempotent."""
        self._window.discard(self)

    # As a frame part

    def collect(self) -> None:
        if self._is_dirty and self._on_change:
            self._is_dirty = False
            self._on_change(self)

    def refresh(self) -> None:
        self._is_dirty = True
        self._window.mark_dirty()


class Heartbeat(StatusHook):
    """The state of the window's feeds, measured by their probes; it has no timer of its own.

    Of several feeds it reports the slowest round trip, the latest event and the sum of missed probes. It is connected
    while every feed is.
    """

    @property
    def data(self) -> dict[Topic, FeedStatus]:
        """The status of each feed of the window."""
        statuses: dict[Topic, list[FeedStatus]] = {}
        for each in self._window.subscriptions():
            statuses.setdefault(each.topic, []).append(each.status)
        return {topic: worst(of_topic) for topic, of_topic in statuses.items()}

    @property
    def status(self) -> FeedStatus:
        """The worst status among the window's feeds."""
        return self._window.status()

    @property
    def round_trip(self) -> float | None:
        """Seconds that the last probe took from the database to here; None before the first."""
        return max((status.lag for status in self.data.values() if status.lag is not None), default=None)

    @property
    def last_event_age(self) -> float | None:
        """Seconds since the last event; None before the first."""
        times = [time for each in self._window.subscriptions() if (time := each.last_event_at)]
        return (datetime.now(UTC) - max(times)).total_seconds() if times else None

    @property
    def missed_probes(self) -> int:
        """Probes that did not come back since the feeds began."""
        return sum(status.missed_probes for status in self.data.values())


def use_connection_heartbeat(window: Window, *, on_change: Callable[[Heartbeat], None] | None = None) -> Heartbeat:
    """Follow round trip, age of the last event and missed probes of the window's feeds."""
    return Heartbeat(window, on_change)
