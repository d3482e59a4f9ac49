"""/monitoring: everything that runs, in tabs; each tab has its own address below."""

from collections.abc import Callable
from functools import partial

from nicegui import ui

from components.elements.bindings import live_connections, live_counts
from components.elements.connection.connection_status import MultiConnectionStatus
from components.elements.figures.stats import StatGrid
from components.shell.shell import page_head
from pages.inbox.inbox import alerts_tab
from pages.lists.counters import COUNTERS, STATS
from pages.lists.lists import agents, scans, streams
from pages.monitoring.system import system_panel
from pages.page.context import PageContext
from pages.page.routes import Routes
from services.entities.entity import Scope

TABS: dict[str, tuple[str, Callable[[PageContext], None]]] = {
    "/": ("Streams", streams),
    "/scans": ("Scans", scans),
    "/agents": ("Agents", agents),
    "/alerts": ("Alerts", alerts_tab),
    "/system": ("System", system_panel),
}


def monitoring_page(page: PageContext) -> None:
    """Live counters and one list at a time: what is not shown is not subscribed to."""
    with page_head("Live Monitoring"):
        chips = MultiConnectionStatus({"organisation": "Organisation", "personal": "Personal"}, size="sm")
        live_connections(page.window, chips, {"organisation": Scope.ORG, "personal": Scope.USER})
        if page.context.scan and page.membership.is_admin:
            ui.button("Run the example scan", icon="play_arrow", on_click=partial(start_scan, page)).props(
                "outline no-caps dense"
            ).classes("lw-button")
    live_counts(page.window, StatGrid(STATS), COUNTERS)
    links: dict[str, ui.link] = {}
    with ui.element("nav").classes("lw-tabs").props('aria-label="Live Monitoring"'):
        for path, (label, _) in TABS.items():
            links[path] = ui.link(label, f"/monitoring{path.rstrip('/')}").classes("lw-tab")

    def show(path: str) -> None:
        for each, link in links.items():
            link.props["aria-current"] = "page" if each == path else "false"
        TABS[path][1](page)

    Routes({path: partial(show, path) for path in TABS})


async def start_scan(page: PageContext) -> None:
    """Run the example scan in this organisation, with a key that this person makes."""
    assert page.context.scan
    starting = page.context.scan.start(page.session.identity, page.membership.org_id)
    await page.act(starting, done="The example scan has started.")
