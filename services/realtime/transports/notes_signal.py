"""The signals of notes: broadcasts of the database about documents, of which this decodes what they say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

NOTES = "notes"
"""Name of the event of written updates."""
CARET = "caret"
"""Name of the event of a moved caret."""
SIGNALS = (NOTES, CARET)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotesSignal:
    """The document of a stream has a new version; `updates` lead there, or are none where they are too large."""

    stream_id: UUID
    version: int
    updates: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaretSignal:
    """A member's caret, or selection, in the document of a stream at a version; positions count UTF-16 units."""

    stream_id: UUID
    user_id: UUID
    client: UUID
    version: int
    anchor: int
    head: int


def decode_notes_signal(event: str, payload: Mapping[str, Any]) -> NotesSignal | CaretSignal:
    """Decode the payload of `private.append_updates` or `private.report_caret`.

    Raises:
        ValueError: Something is malformed.
        KeyError: Something is missing.
        TypeError: Something is of another type.
    """
    stream_id, version = UUID(payload["stream_id"]), int(payload["version"])
    if event == NOTES:
        return NotesSignal(stream_id=stream_id, version=version, updates=list(payload["updates"]))
    return CaretSignal(
        stream_id=stream_id,
        user_id=UUID(payload["user_id"]),
        client=UUID(payload["client"]),
        version=version,
        anchor=int(payload["anchor"]),
        head=int(payload["head"]),
    )
