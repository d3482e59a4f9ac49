"""The System tab: whether the live data is live, and what the feeds could not read."""

from collections.abc import Callable, Collection
from uuid import UUID

from nicegui import Client, ui

from components.batch import Batch
from components.bindings import live_connections
from components.connection import MultiConnectionStatus
from components.shell import section
from components.stats import Stat, StatGrid
from components.text import text
from components.window import Live, end_with
from pages.visit import Visit
from services.entities import ALERTS, STREAMS, Scope, Topic

STATS = (
    Stat(key="lag", label="Round trip", icon="timer"),
    Stat(key="events", label="Events received", icon="bolt"),
    Stat(key="feeds", label="Realtime channels", icon="hub"),
    Stat(key="subscriptions", label="Subscriptions", icon="podcasts"),
    Stat(key="windows", label="Open windows", icon="tab"),
    Stat(key="quarantined", label="Rows quarantined", icon="report"),
)


def system_panel(visit: Visit) -> None:
    """Figures of this process's feeds, brought up to date whenever a status changes: with every canary at least."""
    chips = MultiConnectionStatus({"organisation": "Organisation feed", "personal": "Personal feed"})
    live_connections(visit.window, chips, {"organisation": Scope.ORG, "personal": Scope.USER})
    grid = StatGrid(STATS)
    figures = Live(visit.window, grid, follows_status=True)
    end_with(grid, figures.close)
    with section("Quarantined rows"):
        text(
            "p",
            "A row that does not fit its model is left out and named here and in the log; the rest goes on. "
            "Mend the row and it appears.",
        ).classes("lw-muted")
        quarantine = ui.element("div").classes("lw-facts")
    figures.view = SystemView(visit, on_quarantine=lambda: fill(quarantine, visit))


def fill(quarantine: ui.element, visit: Visit) -> None:
    """List the rows that failed validation on the topics that this person listens to."""
    rows = [row for topic in topics(visit) for row in visit.context.realtime.quarantined(topic)]
    with quarantine.clear():
        if not rows:
            text("p", "None.")
            return
        with ui.element("table"):
            with ui.element("tr"):
                for title in ("Table", "Id", "Reason", "Times seen"):
                    text("th", title)
            for row in rows:
                with ui.element("tr"):
                    _cell(row.id, "table", row.table)
                    _cell(row.id, "id", row.id).classes("lw-mono")
                    _cell(row.id, "reason", row.reason)
                    _cell(row.id, "count", str(row.count))


def topics(visit: Visit) -> list[Topic]:
    """The topics of the organisation that is looked at and of the person."""
    return [STREAMS.topic(visit.membership.org_id), ALERTS.topic(visit.session.identity.user_id)]


class SystemView:
    """The figures, always sent whole."""

    def __init__(self, visit: Visit, *, on_quarantine: Callable[[], None]) -> None:
        self._visit = visit
        self._quarantined: int | None = None
        self._on_quarantine = on_quarantine

    def full(self) -> Batch | None:
        realtime = self._visit.context.realtime
        mine = topics(self._visit)
        feeds = [feed for feed in realtime.feeds() if feed.topic in mine]
        lags = [feed.status.lag for feed in feeds if feed.status.lag is not None]
        quarantined = sum(len(realtime.quarantined(topic)) for topic in mine)
        if quarantined != self._quarantined:
            self._quarantined = quarantined
            self._on_quarantine()
        connections = sum(feed.supervisor.connections for feed in feeds)
        values = {
            "lag": (f"{max(lags) * 1000:.1f} ms" if lags else "not yet", "slower feed", None),
            "events": (sum(feed.events for feed in feeds), f"in {connections} connections", None),
            "feeds": (len(realtime.feeds()), "shared", None),
            "subscriptions": (len(realtime.active_subscriptions()), "leases", None),
            "windows": (sum(client.has_socket_connection for client in Client.instances.values()), None, None),
            "quarantined": (quarantined, "on your topics", "caution" if quarantined else None),
        }
        return {
            "set": {key: {"value": value, "hint": hint, "tone": tone} for key, (value, hint, tone) in values.items()}
        }

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


def _cell(id: str, field: str, content: str) -> ui.element:
    # Set one by one: what stands in a bad row must not be read as further attributes.
    cell = text("td", content)
    cell.props["data-table"], cell.props["data-id"], cell.props["data-field"] = "quarantine", id, field
    return cell
