"""How changes reach the app: Realtime's delivery mechanism, and the client that receives them."""

from enum import StrEnum


class FeedKind(StrEnum):
    """Delivery mechanism that LIVEWATCH_FEED selects."""

    BROADCAST = "broadcast"
    POSTGRES_CHANGES = "postgres_changes"


class ClientKind(StrEnum):
    """Realtime client that LIVEWATCH_REALTIME_CLIENT selects: the official one, or that with a quicker message loop."""

    QUICK = "quick"
    OFFICIAL = "official"
