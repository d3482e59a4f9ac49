"""Realtime's delivery mechanism for changes."""

from enum import StrEnum


class FeedKind(StrEnum):
    """Delivery mechanism that LIVEWATCH_FEED selects."""

    BROADCAST = "broadcast"
    POSTGRES_CHANGES = "postgres_changes"
