"""The signal that a member is typing: a broadcast of the database, which stores nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

TYPING = "typing"
"""Name of the broadcast's event."""


class TypingKind(StrEnum):
    """What is written: something new, or a change of what is there."""

    TYPING = "typing"
    EDITING = "editing"


@dataclass(frozen=True, slots=True, kw_only=True)
class TypingSignal:
    """One member who is typing about a subject; `name` is the name in the member's profile."""

    user_id: UUID
    name: str
    subject: str
    kind: TypingKind


def decode_typing(payload: Mapping[str, Any]) -> TypingSignal:
    """Decode the payload of `private.report_typing`.

    Raises:
        ValueError: Something is malformed.
        KeyError: Something is missing.
    """
    return TypingSignal(
        user_id=UUID(payload["user_id"]),
        name=str(payload["name"]),
        subject=str(payload["subject"]),
        kind=TypingKind(payload["kind"]),
    )
