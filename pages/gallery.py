"""Every component in every state, for looking at while developing: `python -m pages.gallery --port 8090`."""

import argparse
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from fastapi import FastAPI
from nicegui import ui
from nicegui.element import Element

from components.connection import ConnectionStatus, MultiConnectionStatus, present_connection
from components.feedback import empty_state, error_panel, not_found_panel, skeleton_lines
from components.live_list import KINDS, SUBJECTS, Kind, LiveList
from components.progress import LiveProgress
from components.shell import page_head, section, shell
from components.sign_in_card import sign_in_card
from components.stats import Stat, StatGrid
from components.theme import ThemeName, apply_theme
from services.models import (
    AgentStatus,
    GoalStatus,
    NotificationType,
    Priority,
    ScanStatus,
)
from services.models import ConnectionStatus as Status
from services.realtime.status import FeedStatus

LONG = "A name so long that it has to be cut somewhere, and better at its end than in the middle of the page"


def gallery(theme: ThemeName | None = None) -> None:
    """Build the whole gallery into the page."""
    apply_theme(theme)
    with shell(user_name="Ada Lovelace", org_name="Analytical Engines") as frame:
        for key, badges in frame.badges.items():
            for badge in badges:
                _shown(badge, {"set": {key: {"value": 7 if key == "alerts" else 128}}})
        _shown(frame.connection, {"set": {"feed": present_connection(FeedStatus(status=Status.CONNECTED))}})
        with page_head("Gallery"):
            ui.button("A button").props("flat no-caps").classes("lw-button")
            ui.button("Another").props("unelevated no-caps").classes("lw-button lw-button--primary")
        _stats()
        _connections()
        with section("Progress"), Element("div").classes("lw-panel lw-column"):
            _shown(LiveProgress("stream"), {"reset": rows_of("stream")})
            _shown(LiveProgress("scan", variant="compact"), {"reset": rows_of("scan")})
            LiveProgress("stream", skeletons=1)
        for kind in KINDS:
            with section(KINDS[kind].label):
                _shown(LiveList(kind), {"reset": rows_of(kind)})
        for kind in KINDS:
            with section(f"{KINDS[kind].label}: waiting, and nothing to show"):
                LiveList(kind, skeletons=3)
                _shown(LiveList(kind), {"reset": {"order": [], "rows": {}}})


def rows_of(kind: Kind) -> dict[str, Any]:
    """The content of a reset: a row in each status."""
    rows = {f"{kind}-{index}": row for index, row in enumerate(ROWS[kind]())}
    return {"order": list(rows), "rows": rows}


def main() -> None:
    """Serve the gallery alone, on this machine only; `/?theme=dark` chooses the theme.

    `/list/stream` and the like hold one list without rows, to be driven from the browser.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one")
    port = parser.parse_args().port
    app = FastAPI()

    @ui.page("/")
    def show(theme: ThemeName | None = None) -> None:
        gallery(theme)

    @ui.page("/list/{kind}")
    def show_list(kind: Kind, theme: ThemeName | None = None) -> None:
        apply_theme(theme)
        with shell(user_name="Ada Lovelace", org_name="Analytical Engines"):
            StatGrid([Stat(key="active", label="Active", icon="bolt")])
            rows = LiveList(kind)
            rows.on_mark_read(lambda id: rows.apply({"set": {id: {"is_read": True}}}))

    @ui.page("/sign-in")
    def show_sign_in(theme: ThemeName | None = None, error: str = "", notice: str = "") -> None:
        apply_theme(theme)
        sign_in_card(error=error, notice=notice, demo_action="/session/demo")

    @ui.page("/panels")
    def show_panels(theme: ThemeName | None = None) -> None:
        apply_theme(theme)
        with shell(user_name="Ada Lovelace", org_name="Analytical Engines"):
            not_found_panel("/streams/what", "There is no such stream, or it belongs to another organisation.")
            error_panel("This page cannot be shown now", "The database does not answer. It is tried again.")
            empty_state("inbox", "Nothing here yet. Start a job that reports its progress.")
            skeleton_lines()

    ui.run_with(app, title="Livewatch gallery", dark=None, tailwind=False)
    listener = socket.create_server(("127.0.0.1", port))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


def _shown(element: Any, batch: dict[str, Any]) -> None:
    element.on("live", lambda: element.apply(batch))


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
        for text in (True, False):
            with Element("div").classes("lw-row").style("gap: 16px"):
                for size in ("sm", "md", "lg"):
                    for name in states:
                        _shown(ConnectionStatus(name, size=size, text=text), batch)
        _shown(MultiConnectionStatus({name: name for name in states}), batch)


def _streams() -> list[dict[str, Any]]:
    return [
        {
            "name": LONG if index == 1 else f"Package coverage {index + 1}",
            "stream_type": "acquisition",
            "goal_status": status.value,
            "completed": completed,
            "total": 300 if index != 2 else 1234567,
            "percentage": round(completed / 3, 1) if index != 2 else 12.4,
            "quality_target": "95%" if index % 2 else None,
            "updated_at": _ago(seconds=3 * 12**index),
        }
        for index, (status, completed) in enumerate(zip(GoalStatus, (0, 128, 153086, 64, 17, 300), strict=True))
    ]


def _scans() -> list[dict[str, Any]]:
    steps = ["Identify targets", "Read metadata", "Analyze", "Compile sources", "Report"]
    return [
        {
            "name": LONG if index == 1 else f"Installed packages {index + 1}",
            "status": status.value,
            "steps": steps,
            "current_step": steps[min(index, 4)],
            "step": min(index, 4),
            "progress_percentage": 100 if status is ScanStatus.COMPLETED else 18.4 * index,
            "targets_identified": 412,
            "targets_analyzed": 76 * index,
            "error": "The connection to the registry was refused twice." if status is ScanStatus.FAILED else None,
            "updated_at": _ago(seconds=4 * 9**index),
        }
        for index, status in enumerate(ScanStatus)
    ]


def _agents() -> list[dict[str, Any]]:
    notes = ["Waits for a free worker", "Reads pyproject.toml of requests", "Found 3 licences", "Timed out", None]
    return [
        {
            "agent_name": LONG if index == 2 else f"licence-reader-{index + 1}",
            "status": status.value,
            "summary": note,
            "started_at": None if status is AgentStatus.PENDING else _ago(seconds=70 * index),
            "duration_ms": None if index < 2 else 740 * 11**index,
        }
        for index, (status, note) in enumerate(zip(AgentStatus, notes, strict=True))
    ]


def _alerts() -> list[dict[str, Any]]:
    return [
        {
            "target_name": LONG if index == 1 else ("requests", "", "torch", "numpy")[index],
            "company_name": "Python Software Foundation" if index % 2 else None,
            "signal_type": "unusually large",
            "signal_strength": strength,
            "priority": priority.value,
            "is_read": index > 1,
            "stream_id": "1" if index < 2 else None,
            "detected_at": _ago(seconds=20 * 30**index),
        }
        for index, (priority, strength) in enumerate(zip(reversed(Priority), (100, 82, 61, 7), strict=True))
    ]


def _notifications() -> list[dict[str, Any]]:
    return [
        {
            "type": kind.value,
            "title": LONG if index == 2 else f"Scan {index + 1} has ended",
            "message": "All 412 targets were analyzed; 17 raised an alert. " * (1 if index % 2 else 4),
            "action_url": "/monitoring" if index == 0 else None,
            "is_read": index > 1,
            "created_at": _ago(seconds=15 * 40**index),
        }
        for index, kind in enumerate(NotificationType)
    ]


def _activities() -> list[dict[str, Any]]:
    return [
        {
            "look": f"{subject}/{status}",
            "subject": subject.value,
            "subject_id": str(index),
            "subject_name": LONG if index == 1 else f"Work {index}",
            "stream_id": "s" if index % 2 else None,
            "is_new": not index,
            "created_at": _ago(seconds=40 * index),
        }
        for subject, statuses in SUBJECTS.items()
        for index, status in enumerate(statuses)
    ]


ROWS = {
    "activity": _activities,
    "stream": _streams,
    "scan": _scans,
    "agent": _agents,
    "alert": _alerts,
    "notification": _notifications,
}


def _ago(*, seconds: float) -> int:
    return round((datetime.now(UTC).timestamp() - seconds) * 1000)


if __name__ == "__main__":
    main()
