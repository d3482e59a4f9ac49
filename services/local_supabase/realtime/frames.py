"""Frames of the Phoenix channel protocol: version 1.0.0 (objects) and 2.0.0 (arrays)."""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from websockets.frames import OP_TEXT
from websockets.frames import Frame as WireFrame

JsonObject = dict[str, Any]


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


def decode(text: str, version: Version) -> Frame:
    """Read a text frame; raises MalformedFrameError."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MalformedFrameError("not JSON") from error
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


@dataclass(slots=True, eq=False)
class Outgoing:
    """A message to one or many clients; encoded once per protocol version, ready for the wire.

    `payload` is JSON text. `ref` and `join_ref` are None for what concerns every listener of the topic.
    """

    topic: str
    event: str
    payload: str
    ref: str | None = None
    join_ref: str | None = None
    _wire: dict[Version, bytes] = field(default_factory=dict)

    def wire(self, version: Version) -> bytes:
        """The WebSocket frame as bytes: a server's frames are not masked, so all clients share them."""
        if (known := self._wire.get(version)) is not None:
            return known
        data = self.text(version).encode("utf-8", "surrogatepass")
        wire = self._wire[version] = bytes(WireFrame(OP_TEXT, data).serialize(mask=False))
        return wire

    def text(self, version: Version) -> str:
        ref, topic, event = compact(self.ref), compact(self.topic), compact(self.event)
        if version is Version.V1:
            return f'{{"ref":{ref},"event":{event},"payload":{self.payload},"topic":{topic}}}'
        return f"[{compact(self.join_ref)},{ref},{topic},{event},{self.payload}]"


def compact(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _reference(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MalformedFrameError("ref is not a string")
