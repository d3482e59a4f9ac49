"""What is known of a feed's connection, derived in one place."""

from dataclasses import dataclass
from datetime import datetime

from services.entities import ConnectionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedStatus:
    """One state of a feed. Times are UTC; `lag` is in seconds, database to feed, from the last probe.

    `cause` is a sentence for a person: why it is not connected. `attempt` counts the tries since the last connection,
    `missed_probes` the probes that have not come back since the feed began.
    """

    status: ConnectionStatus
    cause: str = ""
    attempt: int = 0
    retry_at: datetime | None = None
    connected_at: datetime | None = None
    last_event_at: datetime | None = None
    lag: float | None = None
    missed_probes: int = 0


def worst(statuses: list[FeedStatus]) -> FeedStatus:
    """The one that a person must know of: error before disconnected before connecting before connected."""
    order = [
        ConnectionStatus.ERROR,
        ConnectionStatus.DISCONNECTED,
        ConnectionStatus.CONNECTING,
        ConnectionStatus.CONNECTED,
    ]
    if not statuses:
        return FeedStatus(status=ConnectionStatus.CONNECTING)
    return min(statuses, key=lambda status: order.index(status.status))
