"""What page code gets from a hook: live rows, the truth about the connection, calls once a frame, and an end."""

import asyncio
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from nicegui import ui

from components.window.hooks import (
    Heartbeat,
    Hook,
    use_agent_executions,
    use_connection_heartbeat,
    use_notifications,
    use_signal_alerts,
)
from components.window.window import Window
from services.entities import AgentExecution, AgentStatus, ConnectionStatus, Notification
from services.errors import NotFound
from services.realtime import RealtimeService
from tests.components.desk import (
    FRAME,
    KINDS,
    Desk,
    Kind,
    SlowFrames,
    close_windows,
    desk_of,
    each_kind,
    ids,
    look,
    take,
    texts,
)
from tests.proxies import TcpProxy
from tests.world import World, until

pytestmark = pytest.mark.integration


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
    window = desk.open(scheduler=SlowFrames())

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
    await until(lambda: bool(told))
    assert told[0] == ["unseen"]


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
    close_windows(here, there)
