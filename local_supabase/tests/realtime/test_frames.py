"""Frames that cannot be read or carried out are answered, so that their sender does not wait."""

import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import Tokens, join_payload, raw_socket, receive

pytestmark = pytest.mark.integration


def push(topic: bytes, event: bytes, body: bytes = b"{}", *, metadata: bytes = b"", join_ref: bytes = b"1") -> bytes:
    """A binary broadcast with the ref 7."""
    parts = [join_ref, b"7", topic, event, metadata]
    return bytes([3, *map(len, parts), 1]) + b"".join(parts) + body


async def join(socket: ClientConnection, topic: str) -> None:
    await socket.send(json.dumps(["1", "1", topic, "phx_join", join_payload(broadcast={"self": True})]))
    assert (await receive(socket))[4]["status"] == "ok"


@pytest.mark.parametrize(
    "frame",
    [
        # Version 2.109 of the JavaScript client writes one byte per character.
        push("realtime:na\xefve".encode("latin-1"), b"shout"),
        push("realtime:naïve".encode(), "größe".encode("latin-1")),
        push("realtime:naïve".encode(), b"shout", b"{not json"),
        push("realtime:naïve".encode(), b"shout", metadata=b"{not json"),
        '["1", "7", "realtime:naïve", "broadcast", "no object"]',
        '["1", "7", "realtime:naïve", 5, {}]',
    ],
)
async def test_a_frame_that_cannot_be_read_is_answered_to_its_channel(
    local: LocalSupabase, tokens: Tokens, frame: Any
) -> None:
    async with raw_socket(local.status.api_url, tokens.of(), "2.0.0") as socket:
        await join(socket, "realtime:naïve")
        await socket.send(frame)
        join_ref, ref, topic, event, payload = await receive(socket)
        assert (join_ref, ref, topic, event, payload["status"]) == ("1", "7", "realtime:naïve", "phx_reply", "error")
        assert payload["response"]["reason"].startswith("The frame cannot be read: ")
        await socket.send(push("realtime:naïve".encode(), b"shout"))
        async with asyncio.timeout(deadline(10)):
            assert await socket.recv() == bytes([4, 15, 5, 0, 1]) + "realtime:naïve".encode() + b"shout{}"


async def test_a_frame_of_no_channel_is_ignored(local: LocalSupabase, tokens: Tokens) -> None:
    async with raw_socket(local.status.api_url, tokens.of(), "2.0.0") as socket:
        await join(socket, "realtime:a")
        await socket.send(push(b"realtime:\xff", b"e", join_ref=b"9"))
        await socket.send("[[[")
        await socket.send('[null, "2", "phoenix", "heartbeat", {}]')
        assert (await receive(socket))[2] == "phoenix"


async def test_a_broadcast_that_is_to_be_stored_is_refused(local: LocalSupabase, tokens: Tokens) -> None:
    async with raw_socket(local.status.api_url, tokens.of(), "2.0.0") as socket:
        await join(socket, "realtime:a")
        await socket.send(push(b"realtime:a", b"e", metadata=b'{"persist":true}'))
        payload = (await receive(socket))[4]
        assert payload["status"] == "error"
        assert "persist" in payload["response"]["reason"]
