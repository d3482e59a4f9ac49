"""The System tab: whether the live data is live, and what the feed could not read."""

from nicegui import Client, ui

from components.connection import MultiConnectionStatus
from components.live import live_connections, on_proof
from components.stats import Stat, StatGrid
from pages.visit import Visit
from services.entities import Scope
from services.realtime import RealtimeService

STATS = (
    Stat(key="lag", label="Round trip", icon="timer"),
    Stat(key="events", label="Events received", icon="bolt"),
    Stat(key="subscriptions", label="Subscriptions", icon="podcasts"),
    Stat(key="feeds", label="Channels", icon="hub"),
    Stat(key="windows", label="Open windows", icon="tab"),
    Stat(key="quarantined", label="Rows quarantined", icon="report"),
)


def system_panel(visit: Visit) -> None:
    """Chips and figures of this process's feeds, brought up to date with every canary that comes back."""
    chips = MultiConnectionStatus({"organisation": "Organisation feed", "personal": "Personal feed"})
    live_connections(visit.window, chips, {"organisation": Scope.ORG, "personal": Scope.USER})
    grid = StatGrid(STATS)
    with ui.element("section").classes("lw-quarantine") as quarantine:
        pass
