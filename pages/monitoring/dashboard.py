"""/: what goes on now, what needs attention, and what happened last."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

from nicegui import ui

from components.elements.bindings import live_counts
from components.elements.figures.stats import StatGrid
from components.shell.shell import page_head, section
from pages.lists.counters import COUNTERS, STATS
from pages.page.context import PageContext, activity_list, agent_list, alert_list, scan_list, stream_list
from services.entities import (
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

NEEDS_ATTENTION = {GoalStatus.AT_RISK, GoalStatus.BLOCKED}
RECENTLY = timedelta(days=1)
PRESSING = {Priority.URGENT, Priority.HIGH}


def dashboard_page(page: PageContext) -> None:
    """Counters with their last hour; streams and scans in trouble; what runs; alerts that press; activity."""
    page_head("Dashboard")
    grid = StatGrid([replace(stat, spark=True) for stat in STATS])
    grid.on("history", show_last_hour(page, grid))
    live_counts(page.window, grid, COUNTERS)
    with ui.element("div").classes("lw-overview"):
        with ui.element("div").classes("lw-page"):
            with section("Needs attention"):
                all_well = "Nothing is blocked, at risk, stalled or unreachable."
                stream_list(page, where=is_in_trouble, time_dependent=True, empty_text=all_well)
                scan_list(page, where=has_trouble, time_dependent=True, empty_text="")
            with section("Running now"):
                agent_list(
                    page,
                    where=lambda run: run.status is AgentStatus.RUNNING,
                    limit=20,
                    empty_text="No agent runs at the moment.",
                )
        with ui.element("div").classes("lw-page"):
            with section("Alerts that press"):
                alert_list(page, where=presses, limit=5, empty_text="No urgent or high alert waits for you.")
            with section("Recent activity"):
                activity_list(page, where=is_worth_telling, limit=12)


def show_last_hour(page: PageContext, grid: StatGrid) -> Callable[[], object]:
    """What brings the sparklines up to date; while there is no answer they stay as they are."""

    async def show() -> None:
        try:
            hour = await last_hour(page.context.database, page.session.identity, page.membership.org_id)
        except LivewatchError:
            return
        grid.apply({"set": {key: {"spark": series} for key, series in asdict(hour).items()}})

    return show


def is_in_trouble(stream: Stream) -> bool:
    """Blocked, at risk, unreachable, or without progress for much longer than usual."""
    now = datetime.now(UTC)
    return stream.goal_status in NEEDS_ATTENTION or stream.is_stalled(now) or stream.is_unreachable(now)


def has_trouble(scan: AcquisitionScan) -> bool:
    """Failed within a day, unreachable, or stalled."""
    now = datetime.now(UTC)
    has_failed = scan.status is ScanStatus.FAILED and scan.updated_at is not None and now - scan.updated_at < RECENTLY
    return has_failed or scan.is_stalled(now) or scan.is_unreachable(now)


def presses(alert: SignalAlert) -> bool:
    """Urgent or high, and not read."""
    return alert.is_unread and alert.priority in PRESSING


def is_worth_telling(activity: Activity) -> bool:
    """What streams and scans did, and agents that failed: that agents run and end is what they are for."""
    return activity.subject_table is not Subject.AGENT or activity.status == AgentStatus.FAILED
