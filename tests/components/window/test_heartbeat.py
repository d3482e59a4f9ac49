"""What page code gets from the heartbeat of a connection."""

import asyncio
from itertools import pairwise

import pytest

from components.window.hooks import use_all_streams_progress, use_connection_heartbeat, use_signal_alerts
from services.entities import STREAMS, Topic
from tests.components.desk import FRAME, KINDS, Desk, SlowFrames
from tests.proxies import TcpProxy
from tests.speed import deadline, product_timeout
from tests.world import until

pytestmark = pytest.mark.integration
INTERVAL = "services.realtime.supervision.probe.PROBE_INTERVAL_SECONDS"
TIMEOUT = "services.realtime.supervision.probe.PROBE_TIMEOUT_SECONDS"


@pytest.fixture
def quick_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several a second, and soon missed."""
    monkeypatch.setattr(INTERVAL, 0.1)
    monkeypatch.setattr(TIMEOUT, product_timeout(1.0))


async def test_a_heartbeat_calls_once_a_frame_and_only_when_a_status_changed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(INTERVAL, 0.01)
    called: list[float] = []
    clock = asyncio.get_running_loop().time
    window = desk.open(scheduler=SlowFrames())
    with window.client:
        use_all_streams_progress(window)
        heartbeat = use_connection_heartbeat(window, on_change=lambda _: called.append(clock()))
    await until(lambda: heartbeat.is_connected)
    await until(lambda: len(called) >= 4)
    assert all(later - earlier > 0.95 * FRAME for earlier, later in pairwise(called))
    monkeypatch.setattr(INTERVAL, 60.0)
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


async def test_the_heartbeat_tells_the_round_trip_the_last_event_and_the_missed_probes(
    desk: Desk, quick_probes: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = desk.open()
    with window.client:
        heartbeat = use_connection_heartbeat(window)
        assert (heartbeat.round_trip, heartbeat.last_event_age, heartbeat.missed_probes) == (None, None, 0)
        trips: set[float | None] = set()
        streams = use_all_streams_progress(window)
        alerts = use_signal_alerts(window, desk.world.database)
    await until(lambda: heartbeat.is_connected and streams.is_loaded and alerts.is_loaded)
    assert set(heartbeat.data) == {Topic(STREAMS.scope, desk.org), alerts._subscription.topic}
    await until(lambda: _between(heartbeat.round_trip, 0, deadline(0.3)))
    # What was sent before the first probe has arrived with it.
    event_at = streams._subscription.last_event_at

    def has_probed() -> bool:
        trips.add(heartbeat.round_trip)
        return len(trips) > 2

    await until(has_probed, what="more probes")
    assert streams._subscription.last_event_at == event_at, "a probe is no event"
    monkeypatch.setattr(INTERVAL, 60.0)
    await desk.insert(KINDS["stream"])
    await until(lambda: len(streams.data) == 2)
    assert _between(heartbeat.last_event_age, 0, deadline(1)), "told at once, not with the next probe"
    await until(lambda: _between(heartbeat.last_event_age, 0.2, deadline(5)), what="it grows older by itself")


async def test_the_heartbeat_tells_how_slow_the_way_is_and_what_did_not_come_back(
    desk: Desk, proxy: TcpProxy, quick_probes: None
) -> None:
    window = desk.open()
    with window.client:
        heartbeat = use_connection_heartbeat(window)
        use_all_streams_progress(window)
    await until(lambda: heartbeat.is_connected and heartbeat.round_trip is not None)
    proxy.delay = 0.3
    await until(lambda: _between(heartbeat.round_trip, 0.3, deadline(1.0)))
    proxy.delay = 0.0
    proxy.freeze()
    await until(lambda: heartbeat.missed_probes == 1)
    assert not heartbeat.is_connected
    assert "probe" in (heartbeat.error or "")
    assert heartbeat.round_trip is None
    await proxy.cut()
    await proxy.restore()
    await until(lambda: heartbeat.is_connected)
    assert (heartbeat.missed_probes, heartbeat.error) == (1, None)


def _between(value: float | None, least: float, most: float) -> bool:
    return value is not None and least <= value <= most
