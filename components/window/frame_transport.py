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
from services.infra.web_server import SOCKET, DirectSocket

EVENT = "livewatch_frame"
# Socket.IO 5 over Engine.IO 4, an event in the default namespace: https://socket.io/docs/v4/socket-io-protocol
PREFIX = f'2["{EVENT}",'


Connections = list[tuple[str, DirectSocket | None]]
"""The Engine.IO ids of a client's connections, and their WebSockets."""


def connections_of(client: Client) -> Connections:
    """Return the connections of a client; none while it is away."""
    found = []
    for _, engine_id in core.sio.manager.get_participants("/", client.id):
        environ = core.sio.environ.get(engine_id, {})
        found.append((engine_id, environ.get("asgi.scope", {}).get(SOCKET)))
    return found


def is_full(connections: Connections) -> bool:
    """Return whether what was sent still waits for the network."""
    return any(socket.is_full for _, socket in connections if socket)


def send_frame(
    connections: Connections,
    payloads: Iterable[tuple[int, Payload]],
    *,
    status: str | None,
    ack_id: int | None,
    delay: float = 0.0,
) -> int:
    """Send one frame to a client, with the server's time; does nothing without a connection.

    The frame is written at once, ahead of the messages that NiceGUI has queued: none of them concerns a frame, since an
    element has no rows before the browser has reported it. A client without a WebSocket is sent it in their turn.

    Args:
        connections: Those of the client.
        payloads: Pairs of an element's id and the payload for its `apply`.
        status: The window's connection status, None when unchanged.
        ack_id: Id that the browser sends back once it has applied the frame; None for no acknowledgement.
        delay: Seconds that the frame is expected to take.

    Returns:
        The size of the frame in characters.
    """
    frame = encode_frame(payloads, status=status, ack_id=ack_id, delay=delay)
    message = f"{PREFIX}{frame}]"
    for engine_id, socket in connections:
        if socket:
            socket.write_text(f"{MESSAGE}{message}")
        elif polling := core.sio.eio.sockets.get(engine_id):
            polling.queue.put_nowait(EnginePacket(MESSAGE, data=message))
    return len(message)


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
