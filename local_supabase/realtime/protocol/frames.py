"""Frames of the Phoenix channel protocol, versions 1.0.0 (JSON objects) and 2.0.0 (JSON arrays, binary broadcasts)."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from websockets.frames import OP_BINARY, OP_TEXT
from websockets.frames import Frame as WebSocketFrame

from local_supabase.web.json_text import compact, is_encodable

JsonObject = dict[str, Any]

BROADCAST_PUSH_KIND = 3
BROADCAST_KIND = 4
JSON_ENCODING = 1
BINARY_HEADER_BYTES = 7
MAX_BINARY_PART_BYTES = 255


class MalformedFrameError(ValueError):
    """A message is not a frame of the protocol.

    `ref` and `join_ref` are those of the frame as far as they could be read, so that the error can be answered.
    """

    def __init__(self, reason: str, *, ref: str | None = None, join_ref: str | None = None) -> None:
        super().__init__(reason)
        self.ref = ref
        self.join_ref = join_ref


class Version(StrEnum):
    """Serialization that a client requests with `vsn`."""

    V1 = "1.0.0"
    V2 = "2.0.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryBroadcast:
    """Broadcast in the binary form of version 2.0.0; `is_json` is the encoding of `body`."""

    event: str
    body: bytes
    is_json: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A client's message."""

    join_ref: str | None
    ref: str | None
    topic: str
    event: str
    payload: JsonObject
    binary: BinaryBroadcast | None = None


def decode(text: str, version: Version) -> Frame:
    """Decode a text frame; raises MalformedFrameError."""
    message = _parse_json(text)
    if version is Version.V1:
        if not isinstance(message, dict):
            raise MalformedFrameError("not an object")
        parts = [message.get(name) for name in ("join_ref", "ref", "topic", "event", "payload")]
    elif isinstance(message, list) and len(message) == 5:
        parts = message
    else:
        raise MalformedFrameError("not an array of five")
    join_ref, ref, topic, event, payload = parts
    join_ref, ref = _reference(join_ref), _reference(ref)
    if not isinstance(topic, str) or not isinstance(event, str):
        raise MalformedFrameError("topic or event is not a string", ref=ref, join_ref=join_ref)
    if payload is not None and not isinstance(payload, dict):
        raise MalformedFrameError("payload is not an object", ref=ref, join_ref=join_ref)
    return Frame(join_ref=join_ref, ref=ref, topic=topic, event=event, payload=payload or {})


def decode_binary(data: bytes) -> Frame:
    """Decode a binary broadcast of version 2.0.0; raises MalformedFrameError.

    Layout: kind (3), five lengths (join_ref, ref, topic, event, metadata), encoding (0 bytes, 1 JSON), one byte each;
    then the five parts, then the body.
    """
    if len(data) < BINARY_HEADER_BYTES or data[0] != BROADCAST_PUSH_KIND:
        raise MalformedFrameError("not a binary broadcast")
    parts: list[bytes] = []
    position = BINARY_HEADER_BYTES
    for size in data[1:6]:
        parts.append(data[position : position + size])
        position += size
    join_ref, ref = (part.decode("latin-1") or None for part in parts[:2])
    try:
        topic, event, metadata = map(_decode_utf8, parts[2:])
        binary = BinaryBroadcast(event=event, body=data[position:], is_json=data[6] == JSON_ENCODING)
        payload: JsonObject = {"type": "broadcast", "event": event}
        if binary.is_json:
            payload["payload"] = _parse_json(_decode_utf8(binary.body))
        if metadata:
            payload["metadata"] = _parse_json(metadata)
    except MalformedFrameError as error:
        raise MalformedFrameError(str(error), ref=ref, join_ref=join_ref) from error
    return Frame(join_ref=join_ref, ref=ref, topic=topic, event="broadcast", payload=payload, binary=binary)


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message to one or many clients, encoded once per protocol version.

    `payload` is JSON text. `ref` and `join_ref` are None unless the message answers one client. Clients of version
    2.0.0 receive a `binary` broadcast in binary form; others receive it only if its body is JSON. The binary form has
    one byte for the length of a topic or event: a broadcast with a longer one is sent as text, if its body is JSON.
    """

    topic: str
    event: str
    payload: str
    ref: str | None = None
    join_ref: str | None = None
    binary: BinaryBroadcast | None = None
    _wire: dict[Version, bytes] = field(default_factory=dict)

    def wire(self, version: Version) -> bytes:
        """Return the WebSocket frame, empty if clients of this version do not receive the message."""
        if (cached := self._wire.get(version)) is not None:
            return cached
        opcode, data = OP_TEXT, b""
        if self.binary and version is Version.V2 and self._fits_binary(self.binary):
            opcode, data = OP_BINARY, self._encode_binary(self.binary)
        elif not self.binary or self.binary.is_json:
            data = self.text(version).encode()
        # Servers do not mask frames (RFC 6455, section 5.1), so that all clients can share one.
        wire = bytes(WebSocketFrame(opcode, data).serialize(mask=False)) if data else b""
        self._wire[version] = wire
        return wire

    def text(self, version: Version) -> str:
        """Return the JSON text of the frame."""
        ref, topic, event = compact(self.ref), compact(self.topic), compact(self.event)
        if version is Version.V1:
            return f'{{"ref":{ref},"event":{event},"payload":{self.payload},"topic":{topic}}}'
        return f"[{compact(self.join_ref)},{ref},{topic},{event},{self.payload}]"

    def _fits_binary(self, binary: BinaryBroadcast) -> bool:
        return all(len(part.encode()) <= MAX_BINARY_PART_BYTES for part in (self.topic, binary.event))

    def _encode_binary(self, binary: BinaryBroadcast) -> bytes:
        topic, event = self.topic.encode(), binary.event.encode()
        encoding = JSON_ENCODING if binary.is_json else 0
        return bytes([BROADCAST_KIND, len(topic), len(event), 0, encoding]) + topic + event + binary.body


def reply(topic: str, status: str, response: JsonObject, *, ref: str | None, join_ref: str | None) -> Outgoing:
    """Return the `phx_reply` to the frame with `ref`; `status` is `ok` or `error`."""
    payload = compact({"status": status, "response": response})
    return Outgoing(topic, "phx_reply", payload, ref=ref, join_ref=join_ref)


def _parse_json(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedFrameError("not JSON") from error
    if not is_encodable(text, value):
        raise MalformedFrameError("half of a surrogate pair")
    return value


def _decode_utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedFrameError("not UTF-8") from error


def _reference(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MalformedFrameError("ref is not a string")
