"""Frames of the Phoenix channel protocol: version 1.0.0 (objects) and 2.0.0 (arrays)."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from websockets.frames import OP_BINARY, OP_TEXT
from websockets.frames import Frame as WireFrame

from local_supabase.http.json_text import compact, is_unicode

JsonObject = dict[str, Any]

BROADCAST_PUSH = 3
BROADCAST = 4
JSON_ENCODING = 1


class MalformedFrameError(ValueError):
    """What arrived is not a frame of the protocol."""


class Version(StrEnum):
    """The serialisation that a client asks for with `vsn`."""

    V1 = "1.0.0"
    V2 = "2.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One message of a client."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: JsonObject
    packed: "Packed | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A broadcast of version 2.0.0 in its binary form, kept as it came; `is_json` tells what `body` holds."""

    event: str
    body: bytes
    is_json: bool


def decode(text: str, version: Version) -> Frame:
    """Read a text frame; raises MalformedFrameError."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedFrameError("not JSON") from error
    if not is_unicode(text, message):
        raise MalformedFrameError("half of a surrogate pair")
    if version is Version.V1:
        if not isinstance(message, dict):
            raise MalformedFrameError("not an object")
        parts = [message.get(name) for name in ("join_ref", "ref", "topic", "event", "payload")]
    elif isinstance(message, list) and len(message) == 5:
        parts = message
    else:
        raise MalformedFrameError("not an array of five")
    join_ref, ref, topic, event, payload = parts
    if not isinstance(topic, str) or not isinstance(event, str):
        raise MalformedFrameError("topic or event is not a string")
    if payload is not None and not isinstance(payload, dict):
        raise MalformedFrameError("payload is not an object")
    return Frame(join_ref=_reference(join_ref), ref=_reference(ref), topic=topic, event=event, payload=payload or {})


def decode_binary(data: bytes) -> Frame:
    """Read a broadcast in the binary form of version 2.0.0; raises MalformedFrameError.

    Kind 3, then the lengths of join_ref, ref, topic, event and metadata, the encoding (0 bytes, 1 JSON), then those
    parts, then the body.
    """
    if len(data) < 7 or data[0] != BROADCAST_PUSH:
        raise MalformedFrameError("not a binary broadcast")
    parts: list[str] = []
    position = 7
    for size in data[1:6]:
        try:
            parts.append(data[position : position + size].decode())
        except UnicodeDecodeError as error:
            raise MalformedFrameError("not UTF-8") from error
        position += size
    join_ref, ref, topic, event, _metadata = parts
    packed = Packed(event=event, body=data[position:], is_json=data[6] == JSON_ENCODING)
    payload: JsonObject = {"type": "broadcast", "event": event}
    if packed.is_json:
        try:
            text = packed.body.decode()
            payload["payload"] = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise MalformedFrameError("not JSON") from error
        if not is_unicode(text, payload):
            raise MalformedFrameError("half of a surrogate pair")
    return Frame(
        join_ref=join_ref or None, ref=ref or None, topic=topic, event="broadcast", payload=payload, packed=packed
    )


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message to one or many clients; encoded once per protocol version, ready for the wire.

    `payload` is JSON text. `ref` and `join_ref` are None for what concerns every listener of the topic. A `packed`
    broadcast goes to clients of version 2.0.0 in binary form; if it is not JSON, others do not get it.
    """

    topic: str
    event: str
    payload: str
    ref: str | None = None
    join_ref: str | None = None
    packed: Packed | None = None
    _wire: dict[Version, bytes] = field(default_factory=dict)

    def wire(self, version: Version) -> bytes:
        """The WebSocket frame as bytes: a server's frames are not masked, so all clients share them."""
        if (known := self._wire.get(version)) is not None:
            return known
        opcode, data = OP_TEXT, b""
        if self.packed and version is Version.V2:
            opcode, data = OP_BINARY, self._pack(self.packed)
        elif not self.packed or self.packed.is_json:
            data = self.text(version).encode()
        wire = bytes(WireFrame(opcode, data).serialize(mask=False)) if data else b""
        self._wire[version] = wire
        return wire

    def text(self, version: Version) -> str:
        ref, topic, event = compact(self.ref), compact(self.topic), compact(self.event)
        if version is Version.V1:
            return f'{{"ref":{ref},"event":{event},"payload":{self.payload},"topic":{topic}}}'
        return f"[{compact(self.join_ref)},{ref},{topic},{event},{self.payload}]"

    def _pack(self, packed: Packed) -> bytes:
        topic, event = self.topic.encode(), packed.event.encode()
        encoding = JSON_ENCODING if packed.is_json else 0
        return bytes([BROADCAST, len(topic), len(event), 0, encoding]) + topic + event + packed.body


def _reference(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MalformedFrameError("ref is not a string")
