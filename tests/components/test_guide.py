"""Every Python block of the guide runs in a window over real rows and shows what the guide states."""

import ast
import asyncio
import inspect
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nicegui import Client, core, ui
from sqlmodel import select

from components.elements.lists.live_list import LiveList
from components.window import hooks as live
from components.window.frame_scheduler import FrameScheduler
from components.window.registry import WindowRegistry
from components.window.window import Window
from services.entities import (
    STREAMS,
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    GoalStatus,
    Notification,
    ScanStatus,
    SignalAlert,
    Stream,
)
from services.feed_kind import FeedKind
from services.presence.typing import Typing
from services.realtime import TRANSPORTS, DatabaseSource, Delta, RealtimeService
from tests.app_process import ROOT
from tests.components.desk import answer
from tests.world import World, until

pytestmark = pytest.mark.integration
GUIDE = (ROOT / "docs" / "REALTIME_MONITORING.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
# Final text of the label, by a name that the block defines or uses.
SHOWS = {
    "show_stream": "50 %",
    "count": "1 of 1 streams are active",
    "show_scan": "Packages: Read, 40 %",
    "show_agents": "1 of 2 run",
    "show_alerts": "1 unread",
    "use_notifications": "1 messages",
    "show_heartbeat": r"\d+ ms, 0 missed",
    "refresh": "1 streams",
    "use_all_streams_progress": "1 streams",
    "use_rows": "1 streams",
}


@pytest.fixture
async def page(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, Any]]:
    """Return the names available to a page's code, over an organisation with one row of each kind."""
    monkeypatch.setattr("components.window.window.send_frame", answer)
    monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import", total=10, completed=5, goal_status=GoalStatus.ON_TRACK)
    scan = AcquisitionScan(
        org_id=org, name="Packages", current_step="Read", progress_percentage=40, status=ScanStatus.SCANNING
    )
    runs = [
        AgentExecution(org_id=org, stream_id=stream.id, agent_id="a", agent_name="a", status=status)
        for status in (AgentStatus.RUNNING, AgentStatus.COMPLETED)
    ]
    alert = SignalAlert(org_id=org, user_id=ada.id, target_name="t", signal_type="s", signal_strength=80)
    message = Notification(org_id=org, user_id=ada.id, title="t", message="m")
    for row in (stream, scan, *runs, alert, message):
        await world.insert(row, by=ada)
    transport = TRANSPORTS[FeedKind.BROADCAST](url=world.status.api_url, key=world.status.anon_key)
    async with (
        RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.05) as realtime,
        Typing(world.database) as typing,
    ):
        with Client(ui.page("/guide", reconnect_timeout=1.0)) as client:
            window = Window(realtime, ada, FrameScheduler(), WindowRegistry(), org_id=org)
            label = ui.label("")
        window.is_visible = window.is_attached = True
        monkeypatch.setattr(type(client), "has_socket_connection", True)
        hooks = {name: value for name, value in vars(live).items() if name.startswith("use_") or name.endswith("Hook")}
        yield {
            **hooks,
            "AcquisitionScan": AcquisitionScan,
            "Delta": Delta,
            "Heartbeat": live.Heartbeat,
            "Hook": live.Hook,
            "LiveList": LiveList,
            "STREAMS": STREAMS,
            "Stream": Stream,
            "database": world.database,
            "label": label,
            "org_id": org,
            "realtime": realtime,
            "rows": range(3),
            "scan_id": scan.id,
            "select": select,
            "session": ada,
            "stream_id": stream.id,
            "typing": typing,
            "ui": ui,
            "author_id": ada.id,
            "user_id": ada.id,
            "window": window,
        }
        client.delete()


def test_the_guide_has_a_block_for_every_hook() -> None:
    for name in vars(live):
        if name.startswith("use_"):
            assert any(f"{name}(" in block for block in BLOCKS), name


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
async def test_a_block_of_the_guide_does_what_it_says(page: dict[str, Any], block: str) -> None:
    code = compile(block, "guide", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with page["window"].client:
        # In the app the frame of a window already holds its feeds.
        page["window"].subscribe(STREAMS)
        if inspect.iscoroutine(result := eval(code, page)):
            await result
    shown = next((text for name, text in SHOWS.items() if f"{name}(" in block), None)
    if "refresh(" in block:
        await page["refresh"]()
    if shown is not None:
        await until(lambda: re.fullmatch(shown, page["label"].text), within=10, what=f"the label says {shown}")
    else:
        realtime: RealtimeService = page["realtime"]
        # Hooks that are not shown are closed by the block, or still loading.
        await until(lambda: all(each.is_loaded for each in realtime.active_subscriptions()))
    if "read_all" in page:
        await page["read_all"]()
        await until(lambda: page["label"].text == "0 unread")
