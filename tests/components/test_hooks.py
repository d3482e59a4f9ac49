"""What page code gets from a hook: live rows, the truth about the connection, calls once a frame, and an end."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from nicegui import Client, core, ui

from components.live import (
    Heartbeat,
    Hook,
    use_agent_executions,
    use_all_streams_progress,
    use_connection_heartbeat,
    use_notifications,
    use_scan_progress,
    use_signal_alerts,
    use_stream_progress,
)
from components.pacing import Pacer
from components.window import Window
from services.entities import STREAMS, Topic
from services.errors import NotFound
from services.models import (
    AcquisitionScan,
    AgentExecution,
    AgentStatus,
    ConnectionStatus,
    Notification,
    Row,
    SignalAlert,
    Stream,
)
from services.realtime import DatabaseSource, RealtimeService, SupabaseBroadcast
from tests.proxies import TcpProxy
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
FRAME = 0.2


class SlowFrames(Pacer):
    """Frames so long that a test can tell one from the next."""

    frame = FRAME


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One hook over rows: how page code takes it, a row that it shows, and the text column that a test writes."""

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
    """One person in one organisation, and the windows that they open."""

    world: World
    service: RealtimeService
    person: Person
    org: UUID
    stream: UUID
    windows: list[Window]

    def open(self, *, pacer: Pacer | None = None) -> Window:
        """A window that somebody looks at."""
        with Client(ui.page("/desk")) as client:
            window = Window(self.service, self.person, pacer or Pacer(), org_id=self.org)
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
    """What the browser reports when the window comes to be seen, or is hidden."""
    report(window, "seen", {"visible": visible})


def report(window: Window, event: str, value: Any) -> None:
    """What the browser sends when the window's element emits an event."""
    (listener,) = [each for each in window._event_listeners.values() if each.type == event]
    window.client.handle_event({"id": window.id, "listener_id": listener.id, "args": [json.dumps(value)]})


def answer(client: Client, batches: list[Any], *, status: str | None, probe: int | None) -> int:
    """What the browser does with a window's frames: it answers each that asks whether it was taken."""
    (window,) = [each for each in client.elements.values() if isinstance(each, Window)]
    if probe is not None:
        asyncio.get_running_loop().call_soon(report, window, "taken", probe)
    return 0


@pytest.fixture
async def nicegui(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """NiceGUI as far as elements need it: no server, and no client is left behind."""
    monkeypatch.setattr("components.window.send_frame", answer)
    monkeypatch.setattr(core, "loop", asyncio.get_running_loop())
    before = set(Client.instances)
    yield
    assert set(Client.instances) == before


async def desk_of(world: World, service: RealtimeService, *, also_of: Person | None = None) -> Desk:
    """A desk in an organisation of its own, of a new person or of one who has a desk elsewhere."""
    org = await world.organization()
    person = also_of or await world.person(org)
    if also_of:
        await world.sql("insert into org_members (org_id, user_id, role) values (%s, %s, 'operator')", org, also_of.id)
    stream = Stream(org_id=org, name="of the agents")
    await world.insert(stream, by=person)
    return Desk(world=world, service=service, person=person, org=org, stream=stream.id, windows=[])


def leave(*desks: Desk) -> None:
    for desk in desks:
        for window in desk.windows:
            if not window.client.is_deleted:
                window.client.delete()
        desk.windows.clear()
    assert desks[0].service.active_subscriptions() == []


@pytest.fixture
async def proxy(world: World) -> AsyncIterator[TcpProxy]:
    async with TcpProxy(world.status.api_url) as proxy:
        yield proxy


@pytest.fixture
async def desk(world: World, proxy: TcpProxy, nicegui: None) -> AsyncIterator[Desk]:
    transport = SupabaseBroadcast(url=proxy.url, key=world.status.anon_key)
    async with RealtimeService(transport=transport, source=DatabaseSource(world.database), linger=0.2) as service:
        desk = await desk_of(world, service)
        yield desk
        leave(desk)


def take(window: Window, desk: Desk, kind: Kind, row: Row, **options: Any) -> Hook[Any]:
    with window.client:
        return kind.use(window, desk.world.database, row, **options)


def texts(hook: Hook[Any], kind: Kind, row: Row) -> list[str]:
    return [getattr(each, kind.text) for each in hook.data if each.id == row.id]


def ids(hook: Hook[Any]) -> set[UUID]:
    return {row.id for row in hook.data}


@each_kind
async def test_a_hook_gives_its_rows_as_they_come_change_and_go(desk: Desk, kind: Kind) -> None:
    row = await desk.insert(kind)
    hook = take(desk.open(), desk, kind, row)
    assert (hook.data, hook.is_loaded, hook.is_connected, hook.error) == ([], False, False, None)
    assert hook.status.status is ConnectionStatus.CONNECTING
    await until(lambda: hook.is_connected)
    assert texts(hook, kind, row) == ["a"]
    assert (hook.is_loaded, hook.error) == (True, None)
    await desk.write(kind, row, "b")
    await until(lambda: texts(hook, kind, row) == ["b"])
    await desk.world.sql(f"delete from {row.__tablename__} where id = %s", row.id)
    await until(lambda: row.id not in ids(hook))


async def test_every_hook_says_why_it_is_not_connected_and_recovers_by_itself(desk: Desk, proxy: TcpProxy) -> None:
    window = desk.open()
    rows = {name: await desk.insert(kind) for name, kind in KINDS.items()}
    hooks = {name: take(window, desk, kind, rows[name]) for name, kind in KINDS.items()}
    with window.client:
        heartbeat = use_connection_heartbeat(window)
    everything: list[Hook[Any] | Heartbeat] = [*hooks.values(), heartbeat]
    await until(lambda: all(hook.is_connected for hook in everything))
    assert not any(hook.error for hook in everything)
    await proxy.cut()
    await until(lambda: not any(hook.is_connected for hook in everything))
    await until(lambda: all(hook.error for hook in everything))
    for name, kind in KINDS.items():
        assert hooks[name].status.status is ConnectionStatus.DISCONNECTED
        assert (hooks[name].error or "").endswith(".")
        assert texts(hooks[name], kind, rows[name]) == ["a"], "what was known stays"
        await desk.write(kind, rows[name], "meanwhile")
    await proxy.restore()
    for name, kind in KINDS.items():
        await until(partial(lambda kind, name: texts(hooks[name], kind, rows[name]) == ["meanwhile"], kind, name))
    await until(lambda: all(hook.is_connected and not hook.error for hook in everything))


async def test_however_many_changes_come_each_hook_calls_once_a_frame(desk: Desk) -> None:
    rows = {name: await desk.insert(kind) for name, kind in KINDS.items()}
    called: dict[str, list[float]] = {name: [] for name in KINDS}
    clock = asyncio.get_running_loop().time
    window = desk.open(pacer=SlowFrames())

    def listen(name: str) -> Hook[Any]:
        return take(window, desk, KINDS[name], rows[name], on_change=lambda _: called[name].append(clock()))

    hooks = {name: listen(name) for name in KINDS}
    await until(lambda: all(hook.is_connected for hook in hooks.values()))
    events = sum(feed.meter.events for feed in desk.service.feeds())
    began = clock()
    for number in range(20):
        for name, kind in KINDS.items():
            await desk.write(kind, rows[name], f"number {number}")
    await until(lambda: all(texts(hooks[name], KINDS[name], rows[name]) == ["number 19"] for name in KINDS))
    arrived_at = clock()
    await until(lambda: all(times[-1] >= arrived_at for times in called.values()), what="the last state is told")
    assert sum(feed.meter.events for feed in desk.service.feeds()) >= events + 20 * len(KINDS)
    for times in called.values():
        assert len([time for time in times if time >= began]) <= (clock() - began) / FRAME + 1
        assert all(later - earlier > 0.95 * FRAME for earlier, later in pairwise(times))


async def test_a_heartbeat_calls_once_a_frame_and_only_when_a_status_changed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.supervisor.CANARY_INTERVAL", 0.01)
    called: list[float] = []
    clock = asyncio.get_running_loop().time
    window = desk.open(pacer=SlowFrames())
    with window.client:
        use_all_streams_progress(window)
        heartbeat = use_connection_heartbeat(window, on_change=lambda _: called.append(clock()))
    await until(lambda: heartbeat.is_connected)
    await until(lambda: len(called) >= 4)
    assert all(later - earlier > 0.95 * FRAME for earlier, later in pairwise(called))
    monkeypatch.setattr("services.realtime.supervisor.CANARY_INTERVAL", 60.0)
    seen = 0
    while seen != len(called):
        seen = len(called)
        await asyncio.sleep(2 * FRAME)
    flushed: list[str] = []
    with window.client:
        hook = use_all_streams_progress(window, on_change=lambda _: flushed.append("rows"))
    await until(lambda: hook.is_loaded and bool(flushed))
    flushed.clear()
    called.clear()
    await desk.insert(KINDS["stream"])
    await until(lambda: bool(flushed), what="the window was served")
    assert called == []


async def test_a_hidden_window_is_told_when_it_is_seen_again(desk: Desk) -> None:
    kind = KINDS["stream"]
    row = await desk.insert(kind)
    told: list[list[str]] = []
    window = desk.open()
    hook = take(window, desk, kind, row, on_change=lambda hook: told.append(texts(hook, kind, row)))
    await until(lambda: hook.is_connected and bool(told))
    look(window, visible=False)
    told.clear()
    await desk.write(kind, row, "unseen")
    await until(lambda: texts(hook, kind, row) == ["unseen"])
    assert told == []
    look(window)
    await until(lambda: told == [["unseen"]])


@each_kind
async def test_a_hook_ends_with_its_element_and_with_its_window(desk: Desk, kind: Kind) -> None:
    row = await desk.insert(kind)
    called: list[Any] = []

    def hooked(window: Window) -> ui.element:
        with window.client, ui.element() as element:
            kind.use(window, desk.world.database, row, on_change=called.append)
            use_connection_heartbeat(window, on_change=called.append)
        return element

    element, closed = hooked(desk.open()), desk.open()
    hooked(closed)
    witness = take(desk.open(), desk, kind, row)
    await until(lambda: witness.is_connected and len({id(each) for each in called}) == 4)
    element.delete()
    assert len(desk.service.active_subscriptions()) == 2
    closed.client.delete()
    assert len(desk.service.active_subscriptions()) == 1, "the witness's"
    called.clear()
    await desk.write(kind, row, "after the end")
    await until(lambda: texts(witness, kind, row) == ["after the end"])
    await asyncio.sleep(0.05)  # three frames, in which nothing may happen
    assert called == []


async def test_a_callback_that_raises_keeps_no_other_part_from_its_frame(desk: Desk) -> None:
    kind = KINDS["stream"]
    row = await desk.insert(kind)
    window = desk.open()
    told: list[list[str]] = []

    def broken(_: Hook[Any]) -> None:
        raise RuntimeError("a broken callback")

    take(window, desk, kind, row, on_change=broken)
    take(window, desk, kind, row, on_change=lambda hook: told.append(texts(hook, kind, row)))
    await desk.write(kind, row, "b")
    await until(lambda: ["b"] in told)
    await desk.write(kind, row, "c")
    await until(lambda: ["c"] in told)


async def test_alerts_are_marked_as_read_in_the_database_and_counted(desk: Desk) -> None:
    kind = KINDS["alerts"]
    first, *_ = [await desk.insert(kind) for _ in range(3)]
    window = desk.open()
    with window.client:
        hook = use_signal_alerts(window, desk.world.database)
    await until(lambda: hook.unread_count == 3)
    assert [alert.id for alert in hook.alerts] == [alert.id for alert in hook.data]
    times = [alert.detected_at for alert in hook.alerts if alert.detected_at]
    assert times == sorted(times, reverse=True)

    async def read() -> list[tuple[UUID, str]]:
        return await desk.world.sql(
            "select id, status from signal_alerts where user_id = %s and read_at is not null", desk.person.id
        )

    await hook.mark_as_read(first.id)
    assert await read() == [(first.id, "acknowledged")]
    await until(lambda: hook.unread_count == 2)
    assert await hook.mark_all_as_read() == 2
    assert len(await read()) == 3
    await until(lambda: hook.unread_count == 0)
    assert await hook.mark_all_as_read() == 0


async def test_notifications_are_marked_as_read_and_only_ones_own(desk: Desk) -> None:
    kind = KINDS["notifications"]
    mine = await desk.insert(kind)
    other = await desk.world.person(desk.org)
    theirs = Notification(org_id=desk.org, user_id=other.id, title="private")
    await desk.world.insert(theirs, by=other)
    window = desk.open()
    with window.client:
        hook = use_notifications(window, desk.world.database)
    await until(lambda: hook.unread_count == 1)
    with pytest.raises(NotFound):
        await hook.mark_as_read(theirs.id)
    assert await hook.mark_all_as_read() == 1
    await until(lambda: hook.unread_count == 0)
    unread = await desk.world.sql(
        "select id from notifications where id in (%s, %s) and read_at is null", mine.id, theirs.id
    )
    assert unread == [(theirs.id,)]


async def test_agents_that_run_are_told_from_all_and_those_of_one_stream_from_others(desk: Desk) -> None:
    other = await desk.insert(KINDS["stream"])
    runs = [
        AgentExecution(org_id=desk.org, stream_id=stream, agent_id="a", agent_name=status, status=status)
        for stream in (desk.stream, other.id)
        for status in (AgentStatus.RUNNING, AgentStatus.PENDING)
    ]
    for run in runs:
        await desk.world.insert(run, by=desk.person)
    window = desk.open()
    with window.client:
        everywhere = use_agent_executions(window)
        here = use_agent_executions(window, stream_id=desk.stream)
    await until(lambda: everywhere.is_connected and here.is_connected)
    assert {run.id for run in everywhere.executions} == {run.id for run in runs}
    assert {run.id for run in here.executions} == {run.id for run in runs[:2]}
    assert [run.id for run in here.running_agents] == [runs[0].id]
    await desk.world.sql(
        "update agent_executions set status = 'completed', completed_at = now() where id = %s", runs[0].id
    )
    await until(lambda: here.running_agents == [])
    assert [run.id for run in everywhere.running_agents] == [runs[2].id]
    assert len(here.executions) == 2


async def test_the_heartbeat_tells_the_round_trip_the_last_event_and_the_missed_canaries(
    desk: Desk, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.supervisor.CANARY_INTERVAL", 0.1)
    monkeypatch.setattr("services.realtime.supervisor.CANARY_TIMEOUT", 1.0)
    window = desk.open()
    with window.client:
        heartbeat = use_connection_heartbeat(window)
        assert (heartbeat.round_trip, heartbeat.last_event_age, heartbeat.missed_canaries) == (None, None, 0)
        streams = use_all_streams_progress(window)
        alerts = use_signal_alerts(window, desk.world.database)
    await until(lambda: heartbeat.is_connected and streams.is_loaded and alerts.is_loaded)
    assert set(heartbeat.data) == {Topic(STREAMS.scope, desk.org), alerts._subscription.topic}
    await until(lambda: _between(heartbeat.round_trip, 0, 0.3))
    assert heartbeat.last_event_age is None, "a canary is no event"
    monkeypatch.setattr("services.realtime.supervisor.CANARY_INTERVAL", 60.0)
    await desk.insert(KINDS["stream"])
    await until(lambda: len(streams.data) == 2)
    assert _between(heartbeat.last_event_age, 0, 1), "told at once, not with the next canary"
    await until(lambda: _between(heartbeat.last_event_age, 0.2, 5), what="it grows older by itself")


async def test_the_heartbeat_tells_how_slow_the_way_is_and_what_did_not_come_back(
    desk: Desk, proxy: TcpProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.realtime.supervisor.CANARY_INTERVAL", 0.1)
    monkeypatch.setattr("services.realtime.supervisor.CANARY_TIMEOUT", 1.0)
    window = desk.open()
    with window.client:
        heartbeat = use_connection_heartbeat(window)
        use_all_streams_progress(window)
    await until(lambda: heartbeat.is_connected and heartbeat.round_trip is not None)
    proxy.delay = 0.3
    await until(lambda: _between(heartbeat.round_trip, 0.3, 1.0))
    proxy.delay = 0.0
    proxy.freeze()
    await until(lambda: heartbeat.missed_canaries == 1)
    assert not heartbeat.is_connected
    assert "canary" in (heartbeat.error or "")
    assert heartbeat.round_trip is None
    await proxy.cut()
    await proxy.restore()
    await until(lambda: heartbeat.is_connected)
    assert (heartbeat.missed_canaries, heartbeat.error) == (1, None)


@each_kind
async def test_a_hook_of_one_organisation_never_shows_rows_of_another_deletes_included(
    world: World, realtime: RealtimeService, nicegui: None, kind: Kind
) -> None:
    """The person belongs to both, so that nothing but the window's organisation tells the two apart."""
    here = await desk_of(world, realtime)
    there = await desk_of(world, realtime, also_of=here.person)
    mine, before = await here.insert(kind), await there.insert(kind)
    shown: list[set[UUID]] = []
    hook = take(here.open(), here, kind, mine, on_change=lambda hook: shown.append(ids(hook)))
    other = take(there.open(), there, kind, before)
    await until(lambda: hook.is_connected and other.is_connected)
    ours = ids(hook)
    assert mine.id in ours
    after = await there.insert(kind)
    await there.write(kind, before, "b")
    await until(lambda: texts(other, kind, before) == ["b"])
    for row in (before, after):
        await world.sql(f"delete from {row.__tablename__} where id = %s", row.id)
    await until(lambda: not ids(other) & {before.id, after.id})
    await here.write(kind, mine, "still here")
    await until(lambda: texts(hook, kind, mine) == ["still here"])
    assert ids(hook) == ours
    assert all(each <= ours for each in shown)
    assert mine.id not in ids(other)
    leave(here, there)


def _between(value: float | None, least: float, most: float) -> bool:
    return value is not None and least <= value <= most
