"""Read Livewatch from programs: lists, rows, logs, progress and comments, and the feed of changes.

    from livewatch.api import Client

    for stream in Client().streams.list(status="blocked"):
        print(stream.name, stream.error)

The key needs the scope `read`. URL and key are those of the SDK: LIVEWATCH_URL and LIVEWATCH_KEY, or the login.
"""

from livewatch.api.client import Client
from livewatch.api.errors import ApiError, NotConfiguredError, NotFoundError, RejectedError, ServerUnreachableError
from livewatch.api.feed import FeedChange, FeedDeletion, FeedEvent, FeedReset
from livewatch.api.rows import (
    Activity,
    AgentExecution,
    Alert,
    Comment,
    HistoryPoint,
    LogLine,
    Notification,
    Scan,
    Stream,
)

__all__ = [
    "Activity",
    "AgentExecution",
    "Alert",
    "ApiError",
    "Client",
    "Comment",
    "FeedChange",
    "FeedDeletion",
    "FeedEvent",
    "FeedReset",
    "HistoryPoint",
    "LogLine",
    "NotConfiguredError",
    "NotFoundError",
    "Notification",
    "RejectedError",
    "Scan",
    "ServerUnreachableError",
    "Stream",
]
