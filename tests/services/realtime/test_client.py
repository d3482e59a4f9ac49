"""The quick Realtime client tells its channels what the official one does, for every frame that a real server sent."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from realtime import AsyncRealtimeClient, RealtimeSubscribeStates
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK

from services.realtime.transports.client import QuickRealtimeClient

FRAMES = Path(__file__).parents[3] / "local_supabase" / "tests" / "realtime" / "realtime_frames.jsonl"
TOPIC = "org:1"


class Connection:
    """Fake connection that has received some frames and is then closed."""

    def __init__(self, frames: list[str], error: Exception) -> None:
        self._frames = frames
        self._error = error

    async def recv(self) -> str:
        if self._frames:
            return self._frames.pop(0)
        raise self._error

    async def __aiter__(self) -> Any:
        try:
            while True:
                yield await self.recv()
        except ConnectionClosedOK:
            return

    close_code = 1000

    class protocol:
        close_exc = ConnectionClosedOK(None, None)


def recorded() -> list[str]:
    """Return the text frames of a real server, all on one topic."""
    frames = []
    for line in FRAMES.read_text().splitlines():
        entry = json.loads(line)
        if entry["dir"] != "in" or not str(entry["frame"]).startswith("{"):
            continue
        frames.append(re.sub(r'"topic":"realtime:[^"]*"', f'"topic":"realtime:{TOPIC}"', entry["frame"]))
    return frames


async def told_by(kind: type[AsyncRealtimeClient], frames: list[str], error: Exception) -> list[Any]:
    """Return what the listeners of a channel are told of frames and of the end of the connection."""
    client = kind("ws://127.0.0.1:9/realtime/v1", auto_reconnect=False)
    channel = client.channel(TOPIC)
    told: list[Any] = []
    channel.on_broadcast("*", lambda payload: told.append(("broadcast", payload["event"], payload["payload"])))
    channel.on_system(lambda payload: told.append(("system", payload.message)))
    channel.on_presence_sync(lambda: told.append(("presence", channel.presence_state())))

    def on_state(state: RealtimeSubscribeStates, error: Exception | None = None) -> None:
        told.append((state.value, str(error)))

    channel._notify_subscribe_state = on_state  # type: ignore[method-assign,assignment]
    channel.state = channel.state.JOINED
    client._ws_connection = Connection(frames, error)  # type: ignore[assignment]
    await client._listen()
    told.append(("connected", client.is_connected))
    channel.rejoin_timer.reset()
    return told


ENDS = [ConnectionClosedOK(None, None), ConnectionClosedError(None, None)]


@pytest.mark.parametrize("error", ENDS, ids=["closed by the server", "lost"])
def test_recorded_frames_and_ends_have_the_same_effect(error: Exception) -> None:
    async def compare() -> None:
        frames = recorded()
        assert len(frames) > 100
        for number, frame in enumerate(frames):
            ours = await told_by(QuickRealtimeClient, [frame], error)
            assert ours == await told_by(AsyncRealtimeClient, [frame], error), (number, frame)

    asyncio.run(compare())


BROADCAST = {"ref": None, "event": "broadcast", "topic": f"realtime:{TOPIC}"}
ODD = [
    "",
    "{",
    "[]",
    "null",
    "3",
    '"text"',
    "[" * 5000,
    json.dumps({"event": "unknown", "topic": f"realtime:{TOPIC}", "payload": {}, "ref": None}),
    json.dumps({**BROADCAST, "payload": None}),
    json.dumps({**BROADCAST, "payload": {"event": 3, "payload": {}}}),
    json.dumps({**BROADCAST, "payload": {"event": "UPDATE", "payload": []}}),
    json.dumps({**BROADCAST, "payload": {"event": "UPDATE"}}),
    json.dumps({**BROADCAST, "topic": None, "payload": {"event": "UPDATE", "payload": {}}}),
    json.dumps({**BROADCAST, "topic": "realtime:other", "payload": {"event": "UPDATE", "payload": {}}}),
    json.dumps({**BROADCAST, "ref": "7", "payload": {"event": "UPDATE", "payload": {}}}),
    json.dumps({**BROADCAST, "payload": {"event": "BIG", "payload": {"n": 2**80, "text": "a\u0000b"}}}),
]


@pytest.mark.parametrize("frame", ODD, ids=range(len(ODD)))
def test_an_odd_frame_has_the_same_effect_and_the_next_one_arrives(frame: str) -> None:
    async def compare() -> None:
        after = json.dumps({**BROADCAST, "payload": {"event": "UPDATE", "payload": {"n": 1}}})
        ours = await told_by(QuickRealtimeClient, [frame, after], ENDS[0])
        assert ours == await told_by(AsyncRealtimeClient, [frame, after], ENDS[0])
        assert ("broadcast", "UPDATE", {"n": 1}) in ours

    asyncio.run(compare())
