"""/: what goes on now and what needs attention."""

from components.bindings import live_counts
from components.shell import page_head, section
from components.stats import StatGrid
from pages.counters import COUNTERS, STATS
from pages.visit import Visit, agent_list, alert_list, stream_list
from services.models import AgentStatus, GoalStatus

NEEDS_ATTENTION = {GoalStatus.AT_RISK, GoalStatus.BLOCKED}


def dashboard_page(visit: Visit) -> None:
    """Counters, the streams that need attention, the agents that run and the newest alerts."""
    page_head("Dashboard")
    live_counts(visit.window, StatGrid(STATS), COUNTERS)
    with section("Needs attention"):
        stream_list(
            visit,
            where=lambda stream: stream.goal_status in NEEDS_ATTENTION,
            empty_text="Nothing is blocked or at risk.",
        )
    with section("Running now"):
        agent_list(
            visit,
            where=lambda run: run.status is AgentStatus.RUNNING,
            limit=20,
            empty_text="No agent runs at the moment.",
        )
    with section("Latest alerts"):
        alert_list(visit, limit=5)
