"""Messages: what is delivered to a channel, and what the other side answered."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from services.text import storable

MAX_TITLE_CHARACTERS = 200
MAX_TEXT_CHARACTERS = 3000
MAX_ANSWER_CHARACTERS = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message for people, and the events it tells of for programs.

    `type` is info, success, warning or error; `url` leads to what it is about and is empty if there is no such page.
    `events` is at most 50 of the `count` events; `event` is the kind of all of them, or `several`.
    """

    title: str
    text: str = ""
    type: str = "info"
    url: str = ""
    rule: str = ""
    event: str = "test"
    count: int = 1
    events: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Message":
        """Return the message of a stored record; ignores what it does not know."""
        return cls(**{name: record[name] for name in cls.__slots__ if name in record})

    @property
    def as_json(self) -> dict[str, Any]:
        """The message as a record, with texts that PostgreSQL stores and channels take."""
        return asdict(self) | {
            "title": storable(shortened(self.title, MAX_TITLE_CHARACTERS)),
            "text": storable(shortened(self.text, MAX_TEXT_CHARACTERS)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the other side said to a message.

    `is_final` means that it would refuse the message again; `retry_after` are the seconds it asked to be left alone.
    `settled` are the recipients that need no other try: with an empty text if they have the message, else with why not.
    """

    is_delivered: bool
    text: str
    is_final: bool = False
    retry_after: float | None = None
    settled: Mapping[str, str] = field(default_factory=dict)


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, which ends with an ellipsis if it was longer."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + ("…" if limit else "")
