"""The status of a feed's connection."""

from dataclasses import dataclass
from datetime import datetime

from services.entities import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """One state of a feed; times are in UTC.

    Args:
        status: What a person sees.
        cause: Why it is not connected, as a sentence.
        attempt: Attempts since the last connection.
        retry_at: Time of the next attempt.
        connected_at: Start of the connection.
        last_event_at: Time of the last event, as of the last probe.
        lag: Seconds that the last probe took from the database to the feed.
        missed_probes: Probes that have not come back since the feed began.
    """

    status: ConnectionStatus
    cause: str = ""
    attempt: int = 0
    retry_at: datetime | None = None
    connected_at: datetime | None = None
    last_event_at: datetime | None = None
    lag: float | None = None
    missed_probes: int = 0


SEVERITY = (
    ConnectionStatus.ERROR,
    ConnectionStatus.DISCONNECTED,
    ConnectionStatus.CONNECTING,
    ConnectionStatus.CONNECTED,
)
"""From worst to best."""


def worst(statuses: list[FeedStatus]) -> FeedStatus:
    """The worst of several statuses; connecting for none."""
    if not statuses:
        return FeedStatus(status=ConnectionStatus.CONNECTING)
    return min(statuses, key=lambda status: SEVERITY.index(status.status))
