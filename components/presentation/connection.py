"""Presentation of a feed's status as the fields of a connection chip."""

from typing import Any

from components.presentation.time import epoch_ms
from services.realtime.status import FeedStatus


def present_connection(status: FeedStatus) -> dict[str, Any]:
    """Return the fields of a chip; times are in epoch milliseconds, `lag_ms` is in milliseconds."""
    return {
        "status": status.status.value,
        "cause": status.cause,
        "attempt": status.attempt,
        "retry_at": epoch_ms(status.retry_at),
        "connected_at": epoch_ms(status.connected_at),
        "last_event_at": epoch_ms(status.last_event_at),
        "lag_ms": None if status.lag is None else round(status.lag * 1000, 1),
    }
