"""Simulated browser window: loads a page, speaks NiceGUI's protocol and behaves like Livewatch's elements."""

import ast
import asyncio
import html
import json
import re
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode
from uuid import uuid4

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

ACK_INTERVAL_SECONDS = 3.0
TIMEOUT_SECONDS = 30.0
ELEMENTS = re.compile(r"parseElements\(String\.raw`(.*?)`\)", re.DOTALL)
QUERY = re.compile(r"^\s*query: (\{.*\}),$", re.MULTILINE)

OnApply = Callable[[list[Any], str | None], None]


class SimulatedWindow:
    """One visible page in one window, until `close`.

    Follows NiceGUI 3.18 (templates/index.html, static/nicegui.js): the client id and the query come from the page, the
    socket's query implies the handshake, and messages are counted and acknowledged every 3 s. Of Livewatch's elements
    it implements what the server waits for: each element emits `live` when mounted, and the window emits `seen` and
    answers the probes in its frames.

    Args:
        http: Client with a session cookie.
        path: Path of the page.
        on_apply: Called with the batches and the status of each frame.
    """

    def __init__(self, http: httpx.AsyncClient, path: str, *, on_apply: OnApply | None = None) -> None:
        self.frames = 0
        self.patches = 0
        self.updates = 0
        self.bytes = 0
        self.status: str | None = None
        self._http = http
        self._path = path
        self._on_apply = on_apply
        self._client_id = ""
        self._next_message_id = 0
        self._acknowledged = -1
        self._elements: dict[int, dict[str, Any]] = {}
        self._changed = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Load the page and connect; raises RuntimeError if the server rejects the page or the handshake."""
        answer = await self._http.get(self._path)
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"{self._path} returned status {answer.status_code}; is the session still valid?")
        query, self._elements = read_page(answer.text)
        self._client_id, self._next_message_id = query["client_id"], query["next_message_id"]
        tab = {"document_id": str(uuid4()), "tab_id": str(uuid4()), "old_tab_id": "null"}
        said = {name: str(value).lower() if isinstance(value, bool) else value for name, value in query.items()}
        parameters = urlencode({**said, **tab, "EIO": 4, "transport": "websocket"})
        base = str(self._http.base_url).replace("http", "ws", 1).rstrip("/")
        cookies = "; ".join(f"{name}={value}" for name, value in self._http.cookies.items())
        self._socket = await connect(
            f"{base}/_nicegui_ws/socket.io/?{parameters}",
            additional_headers={"Cookie": cookies},
            max_size=None,
            ping_interval=None,
            close_timeout=1,
        )
        await self._shake_hands(self._socket)
        self._reading = asyncio.create_task(self._read(self._socket), name=f"window {self._client_id}")
        await self._mount(self._elements)

    async def until_live(self, status: str = "connected") -> None:
        """Wait until the page reports `status`, by default that its rows are live; raises TimeoutError."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self.status != status:
                self._changed.clear()
                await self._changed.wait()

    async def go(self, path: str) -> None:
        """Follow a link and wait for the first new content; raises TimeoutError."""
        listener = self._listener(0, "sub_pages_navigate")
        assert listener
        updates = self.updates
        await self._fire(0, listener, path)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while self.updates == updates:
                self._changed.clear()
                await self._changed.wait()

    async def close(self, *, torn: bool = False) -> None:
        """Close the window; `torn` drops the connection without a close handshake. Idempotent."""
        if self._reading:
            self._reading.cancel()
            with suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None
        socket, self._socket = self._socket, None
        if socket and torn:
            socket.transport.abort()
        elif socket:
            with suppress(ConnectionClosed):
                await socket.send("41")
            await socket.close()

    # Socket.IO 5 over Engine.IO 4: https://socket.io/docs/v4/socket-io-protocol

    async def _shake_hands(self, socket: ClientConnection) -> None:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            if not str(await socket.recv()).startswith("0"):
                raise RuntimeError("The server did not open an Engine.IO session.")
            await socket.send("40")
            answer = str(await socket.recv())
        if not answer.startswith("40"):
            raise RuntimeError(f"The server rejected the handshake: {answer[:200]}")

    async def _read(self, socket: ClientConnection) -> None:
        acknowledged_at = time.monotonic()
        with suppress(ConnectionClosed):
            async for packet in socket:
                text = str(packet)
                self.bytes += len(text)
                if text == "2":
                    await socket.send("3")
                elif text.startswith("42"):
                    event, *arguments = json.loads(text[2:])
                    if event == "livewatch_frame":
                        await self._show(*arguments[0])
                    else:
                        await self._take(event, arguments[0] if arguments else {})
                if time.monotonic() - acknowledged_at > ACK_INTERVAL_SECONDS:
                    acknowledged_at = time.monotonic()
                    await self._acknowledge()

    async def _emit(self, event: str, message: dict[str, Any]) -> None:
        assert self._socket
        await self._socket.send("42" + json.dumps([event, {"client_id": self._client_id, **message}]))

    async def _acknowledge(self) -> None:
        if self._acknowledged < self._next_message_id:
            self._acknowledged = self._next_message_id
            await self._emit("ack", {"next_message_id": self._next_message_id})

    # Behaviour of the page's script

    async def _take(self, event: str, message: dict[str, Any]) -> None:
        id = message.get("_id")
        if id is not None:
            if id < self._next_message_id:
                return
            self._next_message_id = id + 1
        if event == "update":
            changed = {int(key): element for key, element in message.items() if key != "_id"}
            came = {key: element for key, element in changed.items() if element and key not in self._elements}
            for key, element in changed.items():
                if element is None:
                    self._elements.pop(key, None)
                else:
                    self._elements[key] = element
            await self._mount(came)
            self.updates += 1
            self._changed.set()

    async def _mount(self, elements: dict[int, dict[str, Any]]) -> None:
        for id, element in elements.items():
            for listener in element.get("events", []):
                if listener["type"] == "live":
                    await self._fire(id, listener["listener_id"])
                elif listener["type"] == "seen":
                    await self._fire(id, listener["listener_id"], {"visible": True})

    async def _fire(self, id: int, listener: str, *arguments: Any) -> None:
        # The page serializes each argument, and Socket.IO the whole message again.
        texts = [json.dumps(argument) for argument in arguments]
        await self._emit("event", {"id": id, "listener_id": listener, "args": texts})

    async def _show(self, batches: list[Any], status: str | None, ack_id: int | None, *_: float) -> None:
        """Handle a frame like the window's root element."""
        self.frames += 1
        self.patches += len(batches)
        if status:
            self.status = status
        if self._on_apply:
            self._on_apply(batches, status)
        if ack_id is not None:
            id, listener = next((id, found) for id in self._elements if (found := self._listener(id, "ack")))
            await self._fire(id, listener, ack_id)
        self._changed.set()

    def _listener(self, id: int, event: str) -> str | None:
        listeners = self._elements.get(id, {}).get("events", [])
        return next((each["listener_id"] for each in listeners if each["type"] == event), None)


def read_page(text: str) -> tuple[dict[str, Any], dict[int, dict[str, Any]]]:
    """Parse a NiceGUI page; returns the socket's query and the elements by id. Raises RuntimeError for other pages."""
    elements, query = ELEMENTS.search(text), QUERY.search(text)
    if elements is None or query is None:
        raise RuntimeError("The response is not a NiceGUI page.")
    parsed = json.loads(html.unescape(elements[1]))
    return ast.literal_eval(query[1]), {int(id): element for id, element in parsed.items()}
