"""Counters of the dashboard, the monitoring page and the badges."""

from components.elements.figures.stat_grid import Stat
from components.views.counts import Counter
from services.entities import (
    ACTIVE_GOALS,
    ACTIVE_SCANS,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    AgentStatus,
)

STATS = (
    Stat(key="active_streams", label="Active streams", icon="stacked_line_chart", href="/monitoring"),
    Stat(key="running_scans", label="Running scans", icon="radar", href="/monitoring/scans"),
    Stat(key="running_agents", label="Running agents", icon="smart_toy", href="/monitoring/agents"),
    Stat(key="unread_alerts", label="Unread alerts", icon="notifications_active", href="/monitoring/alerts"),
)


def _of_total(counted: int, total: int) -> str:
    return f"of {total}"


COUNTERS = (
    Counter(key="active_streams", entity=STREAMS, where=lambda row: row.goal_status in ACTIVE_GOALS, hint=_of_total),
    Counter(key="running_scans", entity=SCANS, where=lambda row: row.status in ACTIVE_SCANS, hint=_of_total),
    Counter(key="running_agents", entity=AGENTS, where=lambda row: row.status is AgentStatus.RUNNING, hint=_of_total),
    Counter(
        key="unread_alerts",
        entity=ALERTS,
        where=lambda row: row.is_unread,
        hint=_of_total,
        tone=lambda counted: "caution" if counted else None,
    ),
)
UNREAD_COUNTERS = {
    "alerts": Counter(key="alerts", entity=ALERTS, where=lambda row: row.is_unread),
    "notifications": Counter(key="notifications", entity=NOTIFICATIONS, where=lambda row: row.is_unread),
}
