"""Chat: threads about runs, alerts and the organisation, their messages, and how far each person has read."""

from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime
from sqlalchemy import ARRAY, Uuid
from sqlmodel import Field

from services.entities.base.entity import LiveTable, Scope
from services.entities.base.row import Row, json_field, status_field, timestamp_field
from services.entities.base.status import StyledStatus


class Topical(StrEnum):
    """What a thread can be about, by the name of its table; `ORGANIZATION` is everybody's chat."""

    ORGANIZATION = "organizations"
    STREAM = "streams"
    SCAN = "acquisition_scans"
    AGENT = "agent_executions"
    ALERT = "signal_alerts"


class Handling(StyledStatus):
    """What the team does about a run or an alert."""

    OPEN = "open", "neutral", "radio_button_unchecked", "Open"
    TAKEN = "taken", "active", "person", "Taken"
    SNOOZED = "snoozed", "caution", "snooze", "Snoozed"
    RESOLVED = "resolved", "positive", "check_circle", "Resolved"


class MessageKind(StrEnum):
    """Whether a person wrote a message, or the database noted a handling."""

    MESSAGE = "message"
    HANDLING = "handling"


class Thread(Row, table=True):
    """The messages about one subject; `last_number` is the number of the latest, 0 before the first."""

    __tablename__ = "threads"

    subject_table: Topical = status_field(Topical.ORGANIZATION)
    subject_id: UUID
    subject_name: str
    last_number: int = Field(default=0, ge=0)
    last_at: AwareDatetime | None = timestamp_field()
    handling: Handling = status_field(Handling.OPEN)
    handler_id: UUID | None = None
    handler_name: str | None = None
    handled_at: AwareDatetime | None = timestamp_field()
    snoozed_until: AwareDatetime | None = timestamp_field()

    @property
    def about(self) -> str:
        """Its subject, as the address of the chat has it."""
        return f"{self.subject_table.value}:{self.subject_id}"


class Message(Row, table=True):
    """One message; `number` counts from 1 in its thread, and `body` is Markdown, empty once deleted.

    `reactions` holds ids of people by emoji, and `author_name` what the author was called then.
    """

    __tablename__ = "messages"

    thread_id: UUID
    number: int = Field(ge=1)
    author_id: UUID
    author_name: str
    kind: MessageKind = status_field(MessageKind.MESSAGE)
    body: str
    reply_to: UUID | None = None
    mentions: list[UUID] = Field(default_factory=list, sa_type=ARRAY(Uuid))
    reactions: dict[str, list[UUID]] = json_field(dict)
    edited_at: AwareDatetime | None = timestamp_field()
    deleted_at: AwareDatetime | None = timestamp_field()


class ReadPosition(Row, table=True):
    """The number of the latest message that a person has read in a thread."""

    __tablename__ = "read_positions"

    user_id: UUID
    thread_id: UUID
    number: int = Field(default=0, ge=0)


THREADS = LiveTable(
    table="threads",
    model=Thread,
    scope=Scope.ORG,
    order="handling in ('taken', 'snoozed') desc, last_at desc",
    limit=2000,
)
"""The latest threads, and before them those of which somebody takes care."""
MESSAGES = LiveTable(table="messages", model=Message, scope=Scope.ORG, order="created_at desc", limit=200)
"""The latest messages of the organisation; older ones are read by their thread."""
READ_POSITIONS = LiveTable(
    table="read_positions", model=ReadPosition, scope=Scope.USER, order="updated_at desc", limit=2000
)
