"""System tab: status of the feeds, use of the plan's limits, quarantined rows, and the Realtime inspector."""

from datetime import UTC, datetime

from components.elements.figures.live_table import Column, LiveTable
from components.elements.figures.stat_grid import Stat, StatGrid
from components.elements.logs.event_log import EventLog
from components.presentation.text import text
from components.shell.shell import section
from components.window.registry import OpenWindow
from pages.page.context import PageContext
from services.entities import ALERTS, ENTITIES, STREAMS, Topic
from services.errors import SessionExpired
from services.plan import PLAN_LIMITS
from services.realtime import Feed

Fields = dict[str, object]
STATS = (
    Stat(key="lag", label="Round trip", icon="timer"),
    Stat(key="events", label="Events a second", icon="bolt"),
    Stat(key="reconnects", label="Reconnects", icon="sync"),
    Stat(key="windows", label="Windows connected", icon="tab"),
    Stat(key="subscriptions", label="Subscriptions", icon="podcasts"),
    Stat(key="quarantined", label="Rows quarantined", icon="report"),
)
FEED_COLUMNS = (
    Column(key="name", label="Feed"),
    Column(key="status", label="Status", kind="status"),
    Column(key="p50", label="Lag p50", kind="number", hint="Probes of the last ten minutes"),
    Column(key="p95", label="Lag p95", kind="number", hint="Probes of the last ten minutes"),
    Column(key="rate", label="Events/s", kind="number", hint="Over the last minute"),
    Column(key="events", label="Events", kind="number"),
    Column(key="reconnects", label="Reconnects", kind="number"),
    Column(key="missed", label="Probes missed", kind="number"),
    Column(key="repaired", label="Rows repaired", kind="number", hint="Found by comparing with the table every minute"),
    Column(key="subscriptions", label="Subscriptions", kind="number"),
)
PLAN_COLUMNS = (
    Column(key="name", label="Limit"),
    Column(key="used", label="In use", kind="number"),
    Column(key="allowed", label="Allowed", kind="number"),
    Column(key="share", label="Share", kind="share"),
)
WINDOW_COLUMNS = (
    Column(key="who", label="Window of"),
    Column(key="page", label="Page"),
    Column(key="quality", label="Quality"),
    Column(key="round_trip", label="Round trip", kind="number", hint="Until the window acknowledged a frame"),
    Column(key="frames", label="Frames/s", kind="number", hint="Over the last five seconds"),
    Column(key="since", label="Open for", kind="number"),
)
QUARANTINE_COLUMNS = (
    Column(key="table", label="Table"),
    Column(key="row_id", label="Id", kind="code"),
    Column(key="reason", label="Reason"),
    Column(key="count", label="Times seen", kind="number"),
)


def system_panel(page: PageContext) -> None:
    """Build the figures of this process's feeds; they update with every status change, at least at every probe."""
    figures = Figures(page)
    grid = StatGrid(STATS)
    grid.bind_fields(page.window, figures.totals)
    with section("Your feeds"):
        LiveTable("feeds", FEED_COLUMNS, label="Your feeds").bind_table(page.window, figures.feeds)
    with section("Windows"):
        text(
            "p",
            "A window on a slow network or machine receives fewer, larger frames. It stays correct and does not delay "
            "other windows.",
        ).classes("lw-muted")
        LiveTable("windows", WINDOW_COLUMNS, label="Windows").bind_table(page.window, figures.windows)
    with section("Use of the plan"):
        plan = page.services.plan
        text(
            "p",
            f"Use of the Realtime limits of the {plan.value} plan by this app, without other clients of the project. "
            "LIVEWATCH_PLAN sets the plan.",
        ).classes("lw-muted")
        LiveTable("plan", PLAN_COLUMNS, label="Use of the plan").bind_table(page.window, figures.plan)
    with section("Quarantined rows"):
        text(
            "p",
            "Rows that fail validation are hidden, and listed here and in the log. All other rows are shown. "
            "A fixed row appears at once.",
        ).classes("lw-muted")
        LiveTable("quarantine", QUARANTINE_COLUMNS, label="Quarantined rows").bind_table(
            page.window, figures.quarantine
        )
    with section("Realtime inspector"):
        EventLog().bind_events(page.window, ENTITIES)


class Figures:
    """Content of the tables: the user's feeds and rows, and totals of the whole process."""

    def __init__(self, page: PageContext) -> None:
        self._realtime = page.services.realtime
        self._windows = page.services.windows
        self._here = page.window
        self._org_id = page.membership.org_id
        self._user_id = page.session.identity.user_id
        self._limits = PLAN_LIMITS[page.services.plan]
        self._names: dict[Topic, str] = {
            STREAMS.topic(page.membership.org_id): page.membership.name,
            ALERTS.topic(page.session.identity.user_id): "Personal",
        }

    def totals(self) -> dict[str, Fields]:
        """Return the values of the stat cards."""
        feeds = self._mine()
        lags = [feed.status.lag for feed in feeds if feed.status.lag is not None]
        quarantined = len(self.quarantine())
        reconnects = sum(_reconnects(feed) for feed in feeds)
        windows = sum(window.is_connected for window in self._windows)
        return {
            "lag": {"value": f"{max(lags) * 1000:.1f} ms" if lags else "not yet", "hint": "slower feed"},
            "events": {
                "value": f"{sum(feed.meter.rate for feed in feeds):.1f}",
                "hint": f"{sum(feed.meter.events for feed in feeds)} in all",
            },
            "reconnects": {
                "value": reconnects,
                "hint": "since the feeds began",
                "tone": "caution" if reconnects else None,
            },
            "windows": {"value": windows, "hint": "in this app"},
            "subscriptions": {
                "value": len(self._realtime.active_subscriptions()),
                "hint": f"on {len(self._realtime.feeds())} channels",
            },
            "quarantined": {"value": quarantined, "hint": "on your feeds", "tone": "caution" if quarantined else None},
        }

    def feeds(self) -> dict[str, Fields]:
        """Return one row per feed of the user."""
        return {
            str(feed.topic): {
                "name": self._names[feed.topic],
                "status": feed.status.status.value,
                "p50": _milliseconds(feed.meter.lag(0.5)),
                "p95": _milliseconds(feed.meter.lag(0.95)),
                "rate": f"{feed.meter.rate:.1f}",
                "events": feed.meter.events,
                "reconnects": _reconnects(feed),
                "missed": feed.status.missed_probes,
                "repaired": feed.meter.repaired_rows,
                "subscriptions": len(feed.subscriptions),
            }
            for feed in self._mine()
        }

    def windows(self) -> dict[str, Fields]:
        """Return one row per window of the organisation; `page` is visible for the user's own windows only."""
        here = [window for window in self._windows if window.org_id == self._org_id and window.is_connected]
        return {
            str(index): self._window(window)
            for index, window in enumerate(sorted(here, key=lambda window: window.opened_at))
        }

    def _window(self, window: OpenWindow) -> Fields:
        flow = window.flow
        try:
            is_mine = window.session.identity.user_id == self._user_id
        except SessionExpired:
            is_mine = False
        return {
            "who": "You, here" if window is self._here else "You" if is_mine else "Another member",
            "page": window.path if is_mine else None,
            "quality": flow.quality.value.capitalize() if flow.quality else None,
            "round_trip": _milliseconds(flow.round_trip),
            "frames": f"{flow.frame_rate:.1f}",
            "since": str(datetime.now(UTC) - window.opened_at).partition(".")[0],
        }

    def plan(self) -> dict[str, Fields]:
        """Return one row per limit of the plan."""
        feeds = self._realtime.feeds()
        used = {
            "connections": ("Connections", float(len(feeds)), self._limits.connections),
            "messages": ("Messages a second", sum(feed.meter.rate for feed in feeds), self._limits.messages_per_second),
            # Each feed has its own connection, so that a slow policy does not delay other feeds.
            "channels": ("Channels a connection", float(bool(feeds)), self._limits.channels_per_connection),
        }
        return {
            key: {"name": name, "used": f"{use:.4g}", "allowed": allowed, "share": round(use / allowed, 3)}
            for key, (name, use, allowed) in used.items()
        }

    def quarantine(self) -> dict[str, Fields]:
        """Return the rows of the user's topics that failed validation."""
        rows = [row for topic in self._names for row in self._realtime.quarantined(topic)]
        return {
            row.id: {"table": row.table, "row_id": row.id, "reason": row.reason, "count": row.count} for row in rows
        }

    def _mine(self) -> list[Feed]:
        feeds = {feed.topic: feed for feed in self._realtime.feeds()}
        return [feeds[topic] for topic in self._names if topic in feeds]


def _reconnects(feed: Feed) -> int:
    return feed.meter.reconnects


def _milliseconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds * 1000:.1f} ms"
