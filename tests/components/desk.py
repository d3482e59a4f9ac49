"""Windows without a browser: their users, the events of their browsers, and a hook of each kind."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from nicegui import Client, ui

from components.window.frame_scheduler import FrameScheduler
from components.window.hooks import (
    Hook,
    use_agent_executions,
    use_all_streams_progress,
    use_notifications,
    use_scan_progress,
    use_signal_alerts,
    use_stream_progress,
)
from components.window.registry import WindowRegistry
from components.window.window import Window
from services.entities import AcquisitionScan, AgentExecution, Notification, Row, SignalAlert, Stream
from services.realtime import RealtimeService
from tests.world import Person, World

FRAME = 0.2


class SlowFrames(FrameScheduler):
    """Use frames so long that a test can distinguish them."""

    frame_interval = FRAME


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One hook over rows: its function, a row that it shows, and the text column that a test writes."""

    use: Callable[..., Hook[Any]]
    row: Callable[[UUID, UUID, UUID], Row]
    text: str


KINDS = {
    "stream": Kind(
        use=lambda window, _, row, **options: use_stream_progress(window, row.id, **options),
        row=lambda org, user, stream: Stream(org_id=org, name="a"),
        text="name",
    ),
    "all streams": Kind(
        use=lambda window, _, row, **options: use_all_streams_progress(window, **options),
        row=lambda org, user, stream: Stream(org_id=org, name="a"),
        text="name",
    ),
    "scan": Kind(
        use=lambda window, _, row, **options: use_scan_progress(window, row.id, **options),
        row=lambda org, user, stream: AcquisitionScan(org_id=org, name="a"),
        text="name",
    ),
    "agents": Kind(
        use=lambda window, _, row, **options: use_agent_executions(window, **options),
        row=lambda org, user, stream: AgentExecution(org_id=org, stream_id=stream, agent_id="a", agent_name="a"),
        text="agent_name",
    ),
    "alerts": Kind(
        use=lambda window, database, row, **options: use_signal_alerts(window, database, **options),
        row=lambda org, user, stream: SignalAlert(
            org_id=org, user_id=user, target_name="a", signal_type="late", signal_strength=60
        ),
        text="target_name",
    ),
    "notifications": Kind(
        use=lambda window, database, row, **options: use_notifications(window, database, **options),
        row=lambda org, user, stream: Notification(org_id=org, user_id=user, title="a"),
        text="title",
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


@dataclass(kw_only=True)
class Desk:
    """One user in one organisation, and the windows that they open."""

    world: World
    service: RealtimeService
    person: Person
    org: UUID
    stream: UUID
    windows: list[Window]

    def open(self, *, scheduler: FrameScheduler | None = None) -> Window:
        """Open a visible window."""
        with Client(ui.page("/desk")) as client:
            window = Window(self.service, self.person, scheduler or FrameScheduler(), WindowRegistry(), org_id=self.org)
        client.tab_id = "a tab"
        self.windows.append(window)
        look(window)
        return window

    async def insert(self, kind: Kind) -> Row:
        row = kind.row(self.org, self.person.id, self.stream)
        await self.world.insert(row, by=self.person)
        return row

    async def write(self, kind: Kind, row: Row, text: str) -> None:
        await self.world.sql(f"update {row.__tablename__} set {kind.text} = %s where id = %s", text, row.id)


def look(window: Window, *, visible: bool = True) -> None:
    """Emit the browser's event that the window becomes visible or hidden."""
    report(window, "seen", {"visible": visible})


def report(window: Window, event: str, value: Any) -> None:
    """Emit an event of the window's element, like the browser."""
    (listener,) = [each for each in window._event_listeners.values() if each.type == event]
    window.client.handle_event({"id": window.id, "listener_id": listener.id, "args": [json.dumps(value)]})


def answer(client: Client, batches: list[Any], *, status: str | None, ack_id: int | None, delay: float = 0.0) -> int:
    """Acknowledge a window's frames, like the browser."""
    (window,) = [each for each in client.elements.values() if isinstance(each, Window)]
    if ack_id is not None:
        asyncio.get_running_loop().call_soon(report, window, "ack", ack_id)
    return 0


async def desk_of(world: World, service: RealtimeService, *, also_of: Person | None = None) -> Desk:
    """Open a desk in a new organisation, for a new user or for one who has a desk elsewhere."""
    org = await world.organization()
    person = also_of or await world.person(org)
    if also_of:
        await world.sql("insert into org_members (org_id, user_id, role) values (%s, %s, 'operator')", org, also_of.id)
    stream = Stream(org_id=org, name="of the agents")
    await world.insert(stream, by=person)
    return Desk(world=world, service=service, person=person, org=org, stream=stream.id, windows=[])


def close_windows(*desks: Desk) -> None:
    """Close the remaining windows; fails if a subscription outlives its window."""
    for desk in desks:
        for window in desk.windows:
            if not window.client.is_deleted:
                window.client.delete()
        desk.windows.clear()
    assert desks[0].service.active_subscriptions() == []


def take(window: Window, desk: Desk, kind: Kind, row: Row, **options: Any) -> Hook[Any]:
    with window.client:
        return kind.use(window, desk.world.database, row, **options)


def texts(hook: Hook[Any], kind: Kind, row: Row) -> list[str]:
    return [getattr(each, kind.text) for each in hook.data if each.id == row.id]


def ids(hook: Hook[Any]) -> set[UUID]:
    return {row.id for row in hook.data}
