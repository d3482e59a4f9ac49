"""Navigation: the places that sidebar and bottom bar lead to."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One entry of the sidebar.

    Args:
        path: Path of the page.
        label: Label of the entry.
        icon: Name of a Material icon, or "activity".
        key: Letter of the shortcut, which follows g.
        is_premium: Whether the entry has the premium badge.
        count: Key of the unread counter next to the label; None for no counter.
        rings: Whether the bell counts it, too.
        short: Label in the bottom bar of a phone; None for no entry there.
    """

    path: str
    label: str
    icon: str
    key: str
    is_premium: bool = False
    count: str | None = None
    rings: bool = True
    short: str | None = None


CHAT = "chat"
"""Key of the counter of unread messages."""
NAVIGATION = (
    Place(path="/", label="Dashboard", icon="space_dashboard", key="d", short="Dashboard"),
    Place(path="/monitoring", label="Live Monitoring", icon="activity", key="m", is_premium=True, short="Live"),
    Place(path="/analytics", label="Analytics", icon="insights", key="y"),
    Place(path="/jobs", label="Jobs", icon="work_history", key="j"),
    Place(path="/logs", label="Logs", icon="article", key="l"),
    Place(path="/alerts", label="Alerts", icon="notifications_active", key="a", count="alerts", short="Alerts"),
    Place(path="/notifications", label="Notifications", icon="inbox", key="n", count="notifications", short="Inbox"),
    Place(path="/chat", label="Chat", icon="forum", key="t", count=CHAT, rings=False),
    Place(path="/connect", label="Connect your code", icon="cable", key="c"),
    Place(path="/settings", label="Settings", icon="settings", key="s"),
)
# Sidebar entries of paths without an entry of their own.
PARENT_PATHS = {"/streams": "/monitoring", "/compare": "/jobs", "/schedules": "/jobs"}


def place_of(path: str, places: Iterable[Place]) -> str | None:
    """Return the sidebar entry of a path; the dashboard matches only its own path."""
    path = urlsplit(path).path.rstrip("/") or "/"
    for start, parent in PARENT_PATHS.items():
        if path == start or path.startswith(start + "/"):
            path = parent
    paths = [place.path for place in places]
    return next((each for each in paths if path == each or (each != "/" and path.startswith(each + "/"))), None)
