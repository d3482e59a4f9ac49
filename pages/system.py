"""The System tab: whether the live data is live, and what the feeds could not read."""

from collections.abc import Callable, Collection
from uuid import UUID

from nicegui import Client, ui

from components.batch import Batch
from components.connection import MultiConnectionStatus
from components.live import Live, end_with, live_connections
from components.shell import section
from components.stats import Stat, StatGrid
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
    figures.view = SystemView(visit)
    end_with(grid, figures.close)
    with section("Quarantined rows"):
        ui.label(
            "Rows that do not fit their model are left out, named here and in the log; the rest goes on. "
            "Mend the row and it appears."
        ).classes("lw-muted")
        quarantine = ui.element("div").classes("lw-quarantine")
        figures.view.on_quarantine = lambda: fill(quarantine, visit)
        fill(quarantine, visit)


def fill(quarantine: ui.element, visit: Visit) -> None:
    """List the rows that failed validation on the topics that this person listens to."""
    with quarantine.clear():
        for topic in topics(visit):
            for row in visit.context.realtime.quarantined(topic):
                with ui.element("article").classes("lw-row"):
                    _cell(row.table, row.id, "table", row.table)
                    _cell(row.table, row.id, "id", row.id)
                    _cell(row.table, row.id, "reason", row.reason)


def topics(visit: Visit) -> list[Topic]:
    """The topics of the organisation that is looked at and of the person."""
    return [STREAMS.topic(visit.membership.org_id), ALERTS.topic(visit.session.identity.user_id)]


class SystemView:
    """The figures, always sent whole."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit
        self._quarantined = -1
        self.on_quarantine: Callable[[], None] = lambda: None

    def full(self) -> Batch | None:
        realtime = self._visit.context.realtime
        mine = topics(self._visit)
        feeds = [feed for feed in realtime.feeds() if feed.topic in mine]
        lags = [feed.status.lag for feed in feeds if feed.status.lag is not None]
        quarantined = sum(len(realtime.quarantined(topic)) for topic in mine)
        if quarantined != self._quarantined:
            self._quarantined = quarantined
            self.on_quarantine()
        connections = sum(feed.supervisor.connections for feed in feeds)
        values = {
            "lag": (f"{max(lags) * 1000:.1f} ms" if lags else "not yet", "the slower of your feeds", None),
            "events": (sum(feed.events for feed in feeds), f"{connections} connections made", None),
            "feeds": (len(realtime.feeds()), "shared by all windows", None),
            "subscriptions": (len(realtime.active_subscriptions()), "leases on those channels", None),
            "windows": (sum(client.has_socket_connection for client in Client.instances.values()), None, None),
            "quarantined": (quarantined, "on your topics", "caution" if quarantined else None),
        }
        return {
            "set": {key: {"value": value, "hint": hint, "tone": tone} for key, (value, hint, tone) in values.items()}
        }

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        return None


def _cell(table: str, id: str, field: str, text: str) -> None:
    # Set one by one: what stands in a bad row must not be read as further attributes.
    label = ui.label(text).classes("lw-muted")
    label.props["data-table"], label.props["data-id"], label.props["data-field"] = table, id, field
