"""Arbitrary input from a client: the server stays up, leaks no memory, and serves other clients."""

import asyncio
import contextlib
import json

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from local_supabase.process import LocalSupabase
from local_supabase.realtime.protocol.frames import MalformedFrameError, Version, decode, decode_binary
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import Tokens, join_payload, raw_socket, receive, send

pytestmark = pytest.mark.integration

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
TOPICS = st.sampled_from(["realtime:fuzz", "realtime:other", "realtime:", "phoenix", "nope"]) | st.text(max_size=10)
EVENTS = st.sampled_from(["phx_join", "phx_leave", "heartbeat", "broadcast", "presence", "access_token", "bogus"])
FILTERS = st.sampled_from(["n=eq.1", "n=in.(1,2)", "n=in.()", "a=b", "n=is.null", "body=match.("])
BINDINGS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.sampled_from(["*", "INSERT", "x"]) | ANYTHING,
            "schema": st.sampled_from(["public", "*"]) | ANYTHING,
            "table": st.sampled_from(["open_notes", "*", "\x00"]) | ANYTHING,
            "filter": st.sampled_from(["n=eq.1", "n=in.(1,2)", "n=in.()", "a=b", "n=is.null", "body=match.("])
            | ANYTHING,
            "select": ANYTHING,
        },
    ),
    max_size=3,
)
JOINS = st.builds(
    lambda broadcast, presence, private, bindings, token: {
        "config": {
            "broadcast": broadcast,
            "presence": presence,
            "private": private,
            "postgres_changes": bindings,
        },
        "access_token": token,
    },
    st.fixed_dictionaries({}, optional={"ack": ANYTHING, "self": st.booleans(), "replay": ANYTHING}) | ANYTHING,
    st.fixed_dictionaries({}, optional={"enabled": st.booleans(), "key": ANYTHING}) | ANYTHING,
    st.booleans() | ANYTHING,
    BINDINGS | ANYTHING,
    st.none() | ANYTHING,
)
PAYLOADS = (
    JOINS | ANYTHING | st.fixed_dictionaries({"event": st.sampled_from(["track", "untrack"]), "payload": ANYTHING})
)
FRAMES = st.one_of(
    st.builds(
        lambda topic, event, payload, ref, join_ref: json.dumps(
            {"topic": topic, "event": event, "payload": payload, "ref": ref, "join_ref": join_ref}
        ),
        TOPICS, EVENTS, PAYLOADS, st.none() | st.text(max_size=3) | ANYTHING, st.none() | st.text(max_size=3),
    ),
    st.lists(ANYTHING, max_size=6).map(json.dumps),
    st.tuples(st.none(), st.just("1"), TOPICS, EVENTS, PAYLOADS).map(lambda frame: json.dumps(list(frame))),
    ANYTHING.map(json.dumps),
    st.text(max_size=50),
    st.binary(max_size=60),
    st.binary(max_size=60).map(lambda rest: b"\x03" + rest),
    st.just("[" * 5000),
)  # fmt: skip


@pytest.fixture(scope="module")
async def memory_before(local: LocalSupabase) -> int:
    assert local.pid is not None
    return int(psutil.Process(local.pid).memory_info().rss)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=80) | st.text(max_size=80).map(str.encode))
def test_decoding_raises_nothing_but_its_own_error(data: bytes) -> None:
    for binary in (data, b"\x03" + data):
        with contextlib.suppress(MalformedFrameError):
            decode_binary(binary)
    for version in Version:
        with contextlib.suppress(MalformedFrameError):
            decode(data.decode(errors="replace"), version)


@pytest.mark.parametrize("vsn", ["1.0.0", "2.0.0"])
async def test_random_frames_disturb_nobody(vsn: str, local: LocalSupabase, tokens: Tokens, memory_before: int) -> None:
    """Draw sequences outside the event loop, play each on a new socket, and check another one after each."""
    sequences: list[list[str | bytes]] = []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(frames=st.lists(FRAMES, min_size=1, max_size=8))
    def draw(frames: list[str | bytes]) -> None:
        sequences.append(frames)

    draw()
    pid = local.pid
    url, token = local.status.api_url, tokens.of()
    async with raw_socket(url, token) as witness:
        await send(witness, "realtime:fuzz", "phx_join", join_payload(private=False, broadcast={"self": False}))
        await receive(witness)
        for frames in sequences:
            await _play(url, token, vsn, frames)
            await send(witness, "phoenix", "heartbeat", {}, ref="alive")
            async with asyncio.timeout(deadline(10)):
                while (await receive(witness))["ref"] != "alive":
                    pass
    assert local.pid == pid
    assert pid is not None
    assert psutil.Process(pid).memory_info().rss - memory_before < 64 * 1024 * 1024


async def _play(url: str, token: str, vsn: str, frames: list[str | bytes]) -> None:
    mark = "mark-of-the-end"
    beat = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": mark}
    last = json.dumps(beat if vsn == "1.0.0" else [None, mark, "phoenix", "heartbeat", {}])
    async with raw_socket(url, token, vsn) as socket:
        with contextlib.suppress(ConnectionClosed):
            for frame in [*frames, last]:
                await socket.send(frame)
            async with asyncio.timeout(deadline(20)):
                while mark not in str(await socket.recv()):
                    pass
    assert socket.close_code in (1000, 1003, 1007, 1009), "closed in order, not by a crash"
