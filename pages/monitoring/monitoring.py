"""/monitoring: all monitored work, in tabs with a URL each."""

from collections.abc import Callable
from functools import cache, partial
from uuid import UUID

from nicegui import ui

from components.elements.connection.connection_status import MultiConnectionStatus
from components.elements.figures.stat_grid import StatGrid
from components.presentation.markup import Markup, Node, node
from components.shell.shell import page_head
from pages.editing.new_stream import new_stream_button
from pages.lists.counters import COUNTERS, STATS
from pages.lists.searchable_list import searchable_list
from pages.monitoring.system import system_panel
from pages.page.context import PageContext
from pages.page.routes import Routes
from services.entities import AGENTS, ENTITIES, STREAMS, Scope, Stream
from services.realtime import Delta

Panel = Callable[[PageContext], object]


def agents_panel(page: PageContext) -> None:
    """Build the list of agent executions, whose filter by stream shows the streams' names."""

    def stream_name(id: str) -> str:
        stream = streams.get(UUID(id))
        return stream.name if stream else id[:8]

    def renamed(deltas: list[Delta[Stream]]) -> None:
        if any(delta.old is None or delta.new is None or delta.old.name != delta.new.name for delta in deltas):
            rows.relabel()

    rows = searchable_list(page, AGENTS, labels={"stream": stream_name})
    streams = page.window.subscribe(STREAMS, on_change=renamed)
    rows.element.on_delete(streams.close)


PANELS: dict[str, Panel] = {AGENTS.table: agents_panel}
"""Panels by table, for entities whose tab is more than a list."""
TABS: dict[str, tuple[str, Panel]] = {
    entity.tab: (entity.label, PANELS.get(entity.table) or partial(searchable_list, entity=entity))
    for entity in ENTITIES
    if entity.tab is not None
} | {"/system": ("System", system_panel)}


def monitoring_page(page: PageContext) -> None:
    """Build the counters and the current tab; hidden tabs hold no subscriptions."""
    with page_head("Live Monitoring"):
        chips = MultiConnectionStatus({"organisation": "Organisation", "personal": "Personal"}, size="sm")
        chips.bind_status(page.window, {"organisation": Scope.ORG, "personal": Scope.USER})
        new_stream_button(page)
        if page.services.scan and page.membership.is_admin:
            ui.button("Run the example scan", icon="play_arrow", on_click=partial(start_scan, page)).props(
                "outline no-caps dense"
            ).classes("lw-button")
    StatGrid(STATS).bind_counters(page.window, COUNTERS)
    tabs = Markup(_tabs())

    def show(path: str) -> None:
        tabs.set_current(_tab_path(path))
        TABS[path][1](page)

    Routes({path: partial(show, path) for path in TABS})


@cache
def _tabs() -> Node:
    tabs = (node("a", label, class_="lw-tab", href=_tab_path(path)) for path, (label, _) in TABS.items())
    return node("nav", *tabs, class_="lw-tabs", aria_label="Live Monitoring")


def _tab_path(path: str) -> str:
    return f"/monitoring{path.rstrip('/')}"


async def start_scan(page: PageContext) -> None:
    """Start the example scan in this organisation, with a key that the user creates."""
    assert page.services.scan
    starting = page.services.scan.start(page.session.identity, page.membership.org_id)
    await page.act(starting, done="The example scan has started.")
