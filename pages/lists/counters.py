"""The counters that the dashboard and the monitoring page show."""

from components.elements.figures.stats import Stat
from components.views.counts import Counter
from services.entities import AgentStatus, GoalStatus, ScanStatus
from services.entities.entity import AGENTS, ALERTS, NOTIFICATIONS, SCANS, STREAMS

ACTIVE_STREAMS = {GoalStatus.IN_PROGRESS, GoalStatus.ON_TRACK, GoalStatus.AT_RISK}
RUNNING_SCANS = {ScanStatus.SCANNING, ScanStatus.ANALYZING}

STATS = (
    Stat(key="active_streams", label="Active streams", icon="stacked_line_chart", href="/monitoring"),
    Stat(key="running_scans", label="Running scans", icon="radar", href="/monitoring/scans"),
    Stat(key="running_agents", label="Running agents", icon="smart_toy", href="/monitoring/agents"),
    Stat(key="unread_alerts", label="Unread alerts", icon="notifications_active", href="/monitoring/alerts"),
)


def _of_all(counted: int, of: int) -> str:
    return f"of {of}"


COUNTERS = (
    Counter(key="active_streams", entity=STREAMS, where=lambda row: row.goal_status in ACTIVE_STREAMS, hint=_of_all),
    Counter(key="running_scans", entity=SCANS, where=lambda row: row.status in RUNNING_SCANS, hint=_of_all),
    Counter(key="running_agents", entity=AGENTS, where=lambda row: row.status is AgentStatus.RUNNING, hint=_of_all),
    Counter(
        key="unread_alerts",
        entity=ALERTS,
        where=lambda row: row.is_unread,
        hint=_of_all,
        tone=lambda counted: "caution" if counted else None,
    ),
)
UNREAD = {
    "alerts": Counter(key="alerts", entity=ALERTS, where=lambda row: row.is_unread),
    "notifications": Counter(key="notifications", entity=NOTIFICATIONS, where=lambda row: row.is_unread),
}
