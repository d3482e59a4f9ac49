"""Gallery of all components in all states, for development: `python -m pages.gallery --port 8090`."""

import argparse
import socket
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from nicegui.element import Element

from components.elements.charts.progress_chart import ProgressChart
from components.elements.charts.run_timeline import RunTimeline
from components.elements.connection.connection_status import ConnectionStatus, MultiConnectionStatus
from components.elements.figures.live_table import LiveTable
from components.elements.figures.stat_grid import Stat, StatGrid
from components.elements.lists.details import Details
from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList
from components.elements.lists.live_progress import LiveProgress
from components.elements.logs.event_log import EventLog
from components.elements.logs.run_log import RunLog
from components.presentation.connection import present_connection
from components.presentation.details import present_agent_details
from components.shell.feedback import empty_state, error_panel, not_found_panel, skeleton_lines
from components.shell.org_switcher import Choice, OrgSwitcher
from components.shell.shell import page_head, section, shell
from components.shell.sign_in_card import sign_in_card
from components.shell.theme.theme import apply_theme, serve_styles
from pages.gallery.rows import ago, rows_of
from pages.http.downloads import Downloads
from pages.monitoring.system import FEED_COLUMNS, PLAN_COLUMNS
from services.entities import AGENTS, ENTITIES, SCANS, STREAMS, AgentExecution, AgentStatus
from services.entities import ConnectionStatus as Status
from services.history.run_logs import LogLine
from services.people.preferences import ThemeName
from services.realtime.status import FeedStatus

ADA = UUID(int=1)
ONLINE = {
    str(UUID(int=number + 1)): {"name": name, "idle": idle, "places": [["Streams", idle, None, "/monitoring"]]}
    for number, (name, idle) in enumerate(
        [
            ("Ada Lovelace", False),
            ("Blaise Pascal", True),
            ("Charles Babbage", False),
            ("Grace Hopper", False),
            ("Katherine Johnson", True),
            ("محمد بن موسى الخوارزمي", False),
            ("🦉", False),
        ]
    )
}
"""People by id, as a batch has them."""


def gallery(theme: ThemeName | None = None) -> None:
    """Build the gallery."""
    apply_theme(theme)
    with shell(user_id=ADA, user_name="Ada Lovelace", org_name="Analytical Engines", switcher=_switcher) as frame:
        for badge in frame.badges:
            _shown(badge, {"set": {"alerts": {"value": 7}, "notifications": {"value": 128}}})
        _shown(frame.connection, {"set": {"feed": present_connection(FeedStatus(status=Status.CONNECTED))}})
        _shown(frame.online, {"reset": {"order": list(ONLINE), "rows": ONLINE}})
        with page_head("Gallery"):
            ui.button("A button").props("flat no-caps").classes("lw-button")
            ui.button("Another").props("unelevated no-caps").classes("lw-button lw-button--primary")
        _stats()
        _connections()
        _controls()
        _charts()
        _system()
        with section("Details of one row"):
            _details()
        _log()
        with section("Progress"), Element("div").classes("lw-panel lw-column"):
            _shown(LiveProgress(STREAMS), {"reset": rows_of(STREAMS)})
            _shown(LiveProgress(SCANS, variant="compact"), {"reset": rows_of(SCANS)})
            LiveProgress(STREAMS, skeletons=1)
        for entity in ENTITIES:
            with section(entity.label):
                _shown(LiveList(entity), {"reset": rows_of(entity)})
        for entity in ENTITIES:
            with section(f"{entity.label}: loading, and empty"):
                LiveList(entity, skeletons=3)
                _shown(LiveList(entity), {"reset": {"order": [], "rows": {}}})


def main() -> None:
    """Serve the gallery on a loopback address; `/?theme=dark` selects the theme.

    `/list/<table>` serves one list without rows, for tests that call its methods from the browser.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="port; 0 selects a free one (default: 8090)")
    port = parser.parse_args().port
    app = FastAPI()

    serve_styles()

    @ui.page("/")
    @ui.page("/gallery")
    def show(theme: ThemeName | None = None) -> None:
        gallery(theme)

    entities = {entity.table: entity for entity in ENTITIES}

    @ui.page("/list/{table}")
    def show_list(table: str, theme: ThemeName | None = None) -> None:
        apply_theme(theme)
        with shell(user_id=ADA, user_name="Ada Lovelace", org_name="Analytical Engines"):
            StatGrid([Stat(key="active", label="Active", icon="bolt")])
            rows = LiveList(entities[table])
            rows.on_mark_read(lambda id: rows.apply({"set": {id: {"is_read": True}}}))

    @ui.page("/sign-in")
    def show_sign_in(theme: ThemeName | None = None, error: str = "", notice: str = "") -> None:
        apply_theme(theme)
        sign_in_card(error=error, notice=notice, demo_action="/session/demo")

    @ui.page("/panels")
    def show_panels(theme: ThemeName | None = None) -> None:
        apply_theme(theme)
        with shell(user_id=ADA, user_name="Ada Lovelace", org_name="Analytical Engines"):
            not_found_panel("/streams/what", "There is no such stream, or it belongs to another organisation.")
            error_panel("This page cannot be shown", "The database does not respond. The page retries automatically.")
            empty_state("inbox", "Nothing here yet. Start a job that reports its progress.")
            skeleton_lines()

    ui.run_with(app, title="Livewatch gallery", dark=None, tailwind=False)
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    uvicorn.Server(uvicorn.Config(Downloads(app), log_level="warning")).run(sockets=[listener])


def _shown(element: Element, batch: dict[str, Any]) -> None:
    element.on("live", lambda: element.run_method("apply", batch))


def _stats() -> None:
    with section("Stats"):
        stats = StatGrid(
            [
                Stat(key="active", label="Active streams", icon="stacked_line_chart"),
                Stat(key="scans", label="Running scans", icon="radar"),
                Stat(key="agents", label="Running agents", icon="smart_toy"),
                Stat(key="alerts", label="Unread alerts", icon="notifications_none", href="/alerts"),
                Stat(key="share", label="On track", icon="trending_up"),
                Stat(key="waiting", label="Not known yet", icon="hourglass_empty"),
            ]
        )
        values: dict[str, dict[str, Any]] = {
            "active": {"value": 12, "hint": "of 48"},
            "scans": {"value": 3},
            "agents": {"value": 7},
            "alerts": {"value": 128, "tone": "critical", "hint": "4 urgent"},
            "share": {"value": 92.5, "hint": "%"},
        }
        _shown(stats, {"set": values})


def _connections() -> None:
    now = datetime.now(UTC)
    states = {
        "Streams": FeedStatus(
            status=Status.CONNECTED, connected_at=now - timedelta(hours=2), last_event_at=now, lag=0.0042
        ),
        "Scans": FeedStatus(
            status=Status.CONNECTING, cause="The feed is being joined.", attempt=3, retry_at=now + timedelta(minutes=2)
        ),
        "Inbox": FeedStatus(status=Status.DISCONNECTED, cause="The server did not answer.", attempt=12),
        "System": FeedStatus(status=Status.ERROR, cause="You are no longer a member of this organisation."),
    }
    batch = {"set": {name: present_connection(state) for name, state in states.items()}}
    with section("Connections"):
        for size in ("sm", "md", "lg"):
            with Element("div").classes("lw-row").style("gap: 16px"):
                for text in (True, False):
                    for name in states:
                        _shown(ConnectionStatus(name, size=size, text=text), batch)
        _shown(MultiConnectionStatus({name: name for name in states}), batch)


def _switcher() -> OrgSwitcher:
    choices = [Choice(id=name, name=name, note="Admin") for name in ("Analytical Engines", "Difference Engines")]
    return OrgSwitcher(choices, current=choices[0].id, parameter="org", cookie="livewatch_gallery_org")


def _controls() -> None:
    counts = {"status:at_risk": 3, "status:blocked": 0, "status:on_track": 1204}
    state = {"q": "nightly", "sort": "name", "chosen": {"status": ["at_risk"]}, "query": ""}
    with section("Controls above a list"):
        _shown(
            ListControls(STREAMS.listing, noun="streams", export_path="/export/streams.csv?org=1"),
            {"set": {"state": state, "counts": counts, "summary": {"shown": 3, "total": 2000}}},
        )
        _shown(ListControls(STREAMS.listing, noun="streams"), {"set": {"summary": {"shown": 0, "total": 0}}})


def _charts() -> None:
    points = [[ago(seconds=(60 - n) * 60), n * n / 36, 100.0] for n in range(0, 50, 2)]
    outlook = {"running": True, "done_at": ago(seconds=-900)}
    with section("Progress over time"), Element("div").classes("lw-panel lw-column"):
        _shown(ProgressChart(label="Progress over time"), {"set": {"points": {"all": points}, "outlook": outlook}})
        _shown(
            ProgressChart(label="No progress yet"),
            {"set": {"points": {"all": []}, "outlook": {"running": False, "done_at": None}}},
        )
    with section("Timeline"), Element("div").classes("lw-panel lw-column"):
        _shown(RunTimeline(), {"reset": rows_of(AGENTS)})
        _shown(RunTimeline(label="No runs"), {"reset": {"order": [], "rows": {}}})


def _system() -> None:
    event = {"table": "streams", "id": "6d9f", "name": "Nightly", "version": 3, "lag_ms": 4.2}
    changed = [["completed", "4", "5"], ["goal_status", "in_progress", "on_track"]]
    events = [
        {**event, "n": 1, "at": ago(seconds=9), "event": "INSERT", "changed": []},
        {**event, "n": 2, "at": ago(seconds=4), "event": "UPDATE", "changed": changed},
        {**event, "n": 3, "at": ago(seconds=1), "event": "DELETE", "changed": [], "lag_ms": None},
    ]
    with section("Figures of the feeds"):
        row = {"name": "Analytical Engines", "status": "connected", "p50": "2.1 ms", "rate": "30.9", "events": 174}
        rows = {"one": row, "two": {**row, "name": "Personal", "status": "disconnected", "p50": None}}
        _shown(LiveTable("feeds", FEED_COLUMNS, label="Feeds"), {"reset": {"order": list(rows), "rows": rows}})
        LiveTable("plan", PLAN_COLUMNS, label="Not known yet")
        shares = {
            str(share): {"name": "Connections", "used": int(share * 200), "allowed": 200, "share": share}
            for share in (0.02, 0.75, 0.99)
        }
        _shown(LiveTable("plan", PLAN_COLUMNS, label="Plan"), {"reset": {"order": list(shares), "rows": shares}})
    with section("Realtime inspector"):
        _shown(EventLog(), {"set": {"events": {"all": events}}})


def _details() -> None:
    run = AgentExecution(
        org_id=uuid4(),
        stream_id=uuid4(),
        agent_id="package-inspector",
        agent_name="Inspect numpy",
        status=AgentStatus.FAILED,
        duration_ms=48_210,
        input_summary="numpy 2.4.1",
        error="Traceback: no space is left on the device",
    )
    fields = {**present_agent_details(run), "running_since": None}
    resets: tuple[dict[str, Any], ...] = ({"order": ["row"], "rows": {"row": fields}}, {"order": [], "rows": {}})
    for reset in resets:
        with Element("div").classes("lw-panel"):
            gone = "It was deleted, or belongs to another organisation."
            _shown(Details(AGENTS, gone_text=gone), {"reset": reset})


def _log() -> None:
    messages = {
        "debug": "cache: 12 of 41 hit",
        "info": "Read 41 packages\n  from requirements.lock",
        "warning": "numpy: no licence file",
        "error": "torch: no space is left on the device",
        "critical": "Giving up",
    }
    lines = [
        LogLine(id=n, at=datetime.now(UTC), level=level, message=message)
        for n, (level, message) in enumerate(messages.items())
    ]
    log = RunLog(download="/export/log.txt?run=none")
    log.on("live", lambda: log.show(lines, "reset"))
