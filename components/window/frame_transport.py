"""The way of a frame from the server into a browser: one Socket.IO message, written once and kept by nobody.

NiceGUI's own way to call an element (`run_method`) sends a script that the browser has to compile, and keeps the last
thousand for a window that comes back. A frame is neither code nor worth keeping: whoever comes back gets everything.
"""

from collections.abc import Iterable

from engineio.packet import MESSAGE
from engineio.packet import Packet as EnginePacket
from nicegui import Client, core, json

from components.window.batch import Payload

EVENT = "livewatch_frame"
# Socket.IO 5 over Engine.IO 4, an event in the default namespace: https://socket.io/docs/v4/socket-io-protocol
HEAD = f'2["{EVENT}",'


def send_frame(
    client: Client, batches: Iterable[tuple[int, Payload]], *, status: str | None, ack_id: int | None
) -> int:
    """Send what goes to which element, by its id, to the window of a client, with the window's status and a ack_id.

    Returns how many messages now wait to be written to it. Nothing is sent to a client that has no socket.
    """
    written = ",".join(f"[{id},{text}]" for id, sent in batches for text in _texts(sent))
    packet = EnginePacket(MESSAGE, data=f"{HEAD}[[{written}],{json.dumps(status)},{json.dumps(ack_id)}]]")
    waiting = 0
    for _, engine_id in core.sio.manager.get_participants("/", client.id):
        if socket := core.sio.eio.sockets.get(engine_id):
            socket.queue.put_nowait(packet)
            waiting = max(waiting, socket.queue.qsize())
    return waiting


def _texts(sent: Payload) -> Iterable[str]:
    if isinstance(sent, str):
        return (sent,)
    return sent if isinstance(sent, list | tuple) else (json.dumps(sent),)
