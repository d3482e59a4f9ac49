"""Replays recorded scenarios of a real Realtime server and compares the frames."""

import asyncio
import json
import re
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from websockets.asyncio.client import ClientConnection

from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import DEADLINE, FOLDER, raw_socket

Action = Callable[[], Awaitable[object]]
TIME = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
AGO = re.compile(r"expired \d+ seconds ago")
PHX_REF = {"phx_ref", "phx_ref_prev"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A line of the recording."""

    conn: str
    dir: str
    frame: str


def recorded() -> dict[str, list[Event]]:
    """Return the events of each scenario; if it was recorded twice, those of the first run."""
    runs: dict[str, list[list[Event]]] = defaultdict(list)
    for line in (FOLDER / "realtime" / "realtime_frames.jsonl").read_text().splitlines():
        entry = json.loads(line)
        frame = entry["frame"] if isinstance(entry["frame"], str) else json.dumps(entry["frame"])
        event = Event(conn=entry["conn"], dir=entry["dir"], frame=frame)
        if event.dir == "note" and (not runs[entry["scenario"]] or entry["t"] == 0):
            runs[entry["scenario"]].append([])
        runs[entry["scenario"]][-1].append(event)
    return {name: found[0] for name, found in runs.items()}


@dataclass(slots=True, kw_only=True)
class Replay:
    """Plays the client's side of a scenario.

    Attributes:
        api_url: address of the server under test.
        apikeys: key per connection; "*" for the others.
        tokens: access tokens, in the order in which the recording redacted them.
        before: actions by the number of the incoming frame (from 0) to run them before; -1 for the end.
        vsn: protocol version.
        limit: number of incoming frames to compare; None for all, and no others may arrive.
        unordered: ignore the order of incoming frames.
        unsent: skip frames that contain one of these texts.
    """

    api_url: str
    apikeys: Mapping[str, str]
    tokens: list[str] = field(default_factory=list)
    before: Mapping[int, Action] = field(default_factory=dict)
    vsn: str = "1.0.0"
    limit: int | None = None
    unordered: bool = False
    unsent: tuple[str, ...] = ()

    async def run(self, events: list[Event]) -> None:
        """Fail with both frames if they differ, or if a frame is left over at the end."""
        tokens = iter(self.tokens)
        sockets: dict[str, ClientConnection] = {}
        expected: list[Any] = []
        actual: list[Any] = []
        async with AsyncExitStack() as stack:
            for (conn, way), together in groupby(self._played(events), lambda event: (event.conn, event.dir)):
                if conn not in sockets:
                    key = self.apikeys.get(conn, self.apikeys["*"])
                    sockets[conn] = await stack.enter_async_context(raw_socket(self.api_url, key, self.vsn))
                if way == "out":
                    _send(sockets[conn], [_with_token(event.frame, tokens) for event in together])
                    continue
                for event in together:
                    if action := self.before.get(len(actual)):
                        await action()
                    async with asyncio.timeout(deadline(DEADLINE)):
                        actual.append([conn, json.loads(await sockets[conn].recv())])
                    expected.append([conn, json.loads(event.frame)])
                    if not self.unordered:
                        _compare(Normal()(actual), Normal()(expected))
            if action := self.before.get(-1):
                await action()
            for name, socket in sockets.items() if self.limit is None else ():
                await self._expect_nothing_more(name, socket)
        if self.unordered:
            _compare(sorted(map(_text, Normal()(actual))), sorted(map(_text, Normal()(expected))))

    def _played(self, events: list[Event]) -> Iterator[Event]:
        """Yield the frames to send and to receive, up to the limit."""
        incoming = 0
        for event in events:
            if event.dir not in {"in", "out"} or any(part in event.frame for part in self.unsent):
                continue
            if event.dir == "in":
                if incoming == self.limit:
                    return
                incoming += 1
            yield event

    async def _expect_nothing_more(self, name: str, socket: ClientConnection) -> None:
        mark = uuid.uuid4().hex
        beat: Any = {"topic": "phoenix", "event": "heartbeat", "payload": {}, "ref": mark, "join_ref": None}
        await socket.send(json.dumps(beat if self.vsn == "1.0.0" else [None, mark, "phoenix", "heartbeat", {}]))
        async with asyncio.timeout(deadline(DEADLINE)):
            answer = json.loads(await socket.recv())
        reference = answer["ref"] if isinstance(answer, dict) else answer[1]
        assert reference == mark, f"{name} received a frame that the real server did not send: {answer}"


class Normal:
    """Replaces ids, times and references, which differ between runs, by names in order of appearance."""

    def __init__(self) -> None:
        self._names: dict[tuple[str, object], str] = {}

    def __call__(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {self._key(name): self(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self(item, key) for item in value]
        if key in PHX_REF:
            return "<phx_ref>"
        if key in {"id", "ids"} and isinstance(value, int):
            return self._name("id", value)
        return self._text(value) if isinstance(value, str) else value

    def _text(self, value: str) -> str:
        if TIME.match(value):
            return "<time>"
        try:
            return self._name("uuid", str(uuid.UUID(value)))
        except ValueError:
            return AGO.sub("expired <n> seconds ago", value)

    def _key(self, name: str) -> str:
        try:
            return self._name("uuid", str(uuid.UUID(name)))
        except ValueError:
            return name

    def _name(self, kind: str, value: object) -> str:
        return self._names.setdefault((kind, value), f"<{kind} {len(self._names)}>")


def _send(connection: ClientConnection, frames: list[str]) -> None:
    """Send frames in one write: between two writes a server could answer earlier than the recorded one did."""
    for frame in frames:
        connection.protocol.send_text(frame.encode())
    connection.transport.write(b"".join(connection.protocol.data_to_send()))


def _with_token(frame: str, tokens: Iterator[str]) -> str:
    return re.sub(r"<jwt>", lambda _match: next(tokens), frame)


def _compare(actual: list[Any], expected: list[Any]) -> None:
    for ours, theirs in zip(actual, expected, strict=True):
        assert ours == theirs, f"not as recorded\nlocal server: {ours}\nreal server:  {theirs}"


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
