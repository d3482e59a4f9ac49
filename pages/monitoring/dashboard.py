"""/: the dashboard with running work, problems and recent activity."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from nicegui import ui

from components.elements.figures.stat_grid import StatGrid
from components.shell.shell import page_head, section
from pages.lists.counters import COUNTERS, STATS
from pages.lists.entity_list import entity_list
from pages.page.context import PageContext
from services.entities import (
    ACTIVITIES,
    AGENTS,
    ALERTS,
    SCANS,
    STREAMS,
    AcquisitionScan,
    Activity,
    AgentStatus,
    GoalStatus,
    Priority,
    ScanStatus,
    SignalAlert,
    Stream,
    Subject,
)
from services.errors import LivewatchError
from services.history.progress_history import last_hour

TROUBLED_GOALS = {GoalStatus.AT_RISK, GoalStatus.BLOCKED}
RECENT_FAILURE_PERIOD = timedelta(days=1)
URGENT_PRIORITIES = {Priority.URGENT, Priority.HIGH}


def dashboard_page(page: PageContext) -> None:
    """Build counters with their last hour, troubled work, running agents, urgent alerts and recent activity."""
    page_head("Dashboard")
    grid = StatGrid([replace(stat, spark=True) for stat in STATS])
    grid.on("history", show_last_hour(page, grid))
    grid.bind_counters(page.window, COUNTERS)
    with ui.element("div").classes("lw-overview"):
        with ui.element("div").classes("lw-page"):
            with section("Needs attention"):
                all_well = "Nothing is blocked, at risk, stalled or unreachable."
                entity_list(page, STREAMS, where=is_stream_troubled, empty_text=all_well)
                entity_list(page, SCANS, where=is_scan_troubled, time_dependent=True, empty_text="")
            with section("Running now"):
                entity_list(
                    page,
                    AGENTS,
                    where=lambda run: run.status is AgentStatus.RUNNING,
                    limit=20,
                    empty_text="No agent is running.",
                )
        with ui.element("div").classes("lw-page"):
            with section("Urgent alerts"):
                entity_list(page, ALERTS, where=is_urgent, limit=5, empty_text="No urgent or high-priority alerts")
            with section("Recent activity"):
                entity_list(page, ACTIVITIES, where=is_notable, limit=12)


def show_last_hour(page: PageContext, grid: StatGrid) -> Callable[[], object]:
    """Return a handler that updates the sparklines; it keeps them if the database does not respond."""

    async def show() -> None:
        try:
            hour = await last_hour(page.services.database, page.session.identity, page.membership.org_id)
        except LivewatchError:
            return
        grid.apply({"set": {key: {"spark": series} for key, series in asdict(hour).items()}})

    return show


def is_stream_troubled(stream: Stream) -> bool:
    """Return whether a stream is blocked, at risk, or has an incident that the watcher found."""
    if stream.archived_at is not None:
        return False
    return stream.goal_status in TROUBLED_GOALS or bool(stream.incidents)


def is_scan_troubled(scan: AcquisitionScan) -> bool:
    """Return whether a scan failed within a day, or has an incident that the watcher found."""
    if scan.archived_at is not None:
        return False
    if scan.incidents:
        return True
    if scan.status is not ScanStatus.FAILED or scan.updated_at is None:
        return False
    return datetime.now(UTC) - scan.updated_at < RECENT_FAILURE_PERIOD


def is_urgent(alert: SignalAlert) -> bool:
    """Return whether an alert is unread, and urgent or of high priority."""
    return alert.is_unread and alert.priority in URGENT_PRIORITIES


def is_notable(activity: Activity) -> bool:
    """Return whether an activity is shown: all except those of agents that start or complete normally."""
    usual = set(AgentStatus) - {AgentStatus.FAILED}
    return activity.subject_table is not Subject.AGENT or activity.status not in usual
