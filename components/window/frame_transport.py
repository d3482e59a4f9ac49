"""Sends frames to a browser: one Socket.IO message each, encoded once and not kept.

NiceGUI's `run_method` sends a script that the browser has to compile, and keeps the last thousand messages for a client
that reconnects. A frame is neither code nor worth keeping: a client that reconnects gets a full view.
"""

import time
from collections.abc import Iterable

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from nicegui import Client, core, json

from components.window.batch import Payload

EVENT = "livewatch_frame"
# Socket.IO 5 over Engine.IO 4, an event in the default namespace: https://socket.io/docs/v4/socket-io-protocol
PREFIX = f'2["{EVENT}",'


def send_frame(
    client: Client,
    payloads: Iterable[tuple[int, Payload]],
    *,
    status: str | None,
    ack_id: int | None,
    delay: float = 0.0,
) -> int:
    """Send one frame to a client, with the server's time; does nothing for a client without a socket.

    Args:
        client: Whose browser.
        payloads: Pairs of an element's id and the payload for its `apply`.
        status: The window's connection status, None when unchanged.
        ack_id: Id that the browser sends back once it has applied the frame; None for no acknowledgement.
        delay: Seconds that the frame is expected to take.

    Returns:
        The size of the frame in characters.
    """
    frame = encode_frame(payloads, status=status, ack_id=ack_id, delay=delay)
    packet = EnginePacket(MESSAGE, data=f"{PREFIX}{frame}]")
    for _, engine_id in core.sio.manager.get_participants("/", client.id):
        if socket := core.sio.eio.sockets.get(engine_id):
            socket.queue.put_nowait(packet)
    return len(packet.data)


def encode_frame(
    payloads: Iterable[tuple[int, Payload]],
    *,
    status: str | None = None,
    ack_id: int | None = None,
    delay: float | None = None,
) -> str:
    """Return a frame as JSON, as `show` in live_window.js takes it; see `send_frame`. A page's has no delay."""
    encoded = ",".join(f"[{id},{text}]" for id, payload in payloads for text in _encode(payload))
    facts = f"{json.dumps(status)},{json.dumps(ack_id)},{time.time_ns() // 1_000_000}"
    wait = "null" if delay is None else f"{delay * 1000:.0f}"
    return f"[[{encoded}],{facts},{wait}]"


def _encode(payload: Payload) -> Iterable[str]:
    if isinstance(payload, str):
        return (payload,)
    return payload if isinstance(payload, list | tuple) else (json.dumps(payload),)
