"""By what Realtime tells of changes."""

from enum import StrEnum


class FeedKind(StrEnum):
    """The value of LIVEWATCH_FEED."""

    BROADCAST = "broadcast"
    POSTGRES_CHANGES = "postgres_changes"
