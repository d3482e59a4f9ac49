"""Reads and writes of messages, each as the user; functions of the database decide what is allowed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import Handling, Message, Thread, Topical
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.text import storable

PAGE_MESSAGES = 50
MAX_FOUND = 50
MAX_BODY_CHARACTERS = 20_000

_POST = text("select public.post_message(:id, :org, :table, :subject, :body, :reply_to, cast(:mentions as uuid[]))")
_THREAD_ID = text("""
    select id from public.threads where org_id = :org and subject_table = :table and subject_id = :subject
""")
_LATEST = """
    select to_jsonb(message) from public.messages as message
    where thread_id = :thread {where} order by number {order} limit :limit
"""
_FIND = text("""
    select to_jsonb(message), to_jsonb(thread)
    from public.messages as message join public.threads as thread on thread.id = message.thread_id
    where message.org_id = :org and (cast(:thread as uuid) is null or message.thread_id = :thread)
        and message.deleted_at is null and to_tsvector('simple', message.body) @@ to_tsquery('simple', :prefix)
    order by message.created_at desc limit :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a thread is about."""

    table: Topical
    id: UUID

    @classmethod
    def parse(cls, about: str, org_id: UUID) -> "Subject | None":
        """Read the `table:id` of an address; an empty text is the organisation's chat, and None is neither."""
        if not about:
            return cls(table=Topical.ORGANIZATION, id=org_id)
        table, _, id = about.partition(":")
        try:
            return cls(table=Topical(table), id=UUID(id))
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.table.value}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message that is to be sent; the same `id` is written once, however often it is sent."""

    id: UUID
    body: str
    reply_to: UUID | None = None
    mentions: Sequence[UUID] = ()


async def post(database: Database, identity: Identity, org_id: UUID, subject: Subject, draft: NewMessage) -> int:
    """Write a message; returns its number.

    Raises:
        NotAccepted: The text is empty or too long.
        NotFound: The subject was deleted, or is somebody else's.
        Conflict: Somebody else's message has this id.
        PermissionDenied: The user may only read.
        TooFast: The user writes too many messages.
    """
    values = {
        "id": draft.id,
        "org": org_id,
        "table": subject.table.value,
        "subject": subject.id,
        "body": storable(draft.body),
        "reply_to": draft.reply_to,
        "mentions": list(draft.mentions),
    }
    async with refusable(database, identity) as connection:
        return int((await connection.execute(_POST, values)).scalar_one())


async def edit(database: Database, identity: Identity, id: UUID, body: str) -> None:
    """Change the text of an own message; raises NotAccepted or NotFound."""
    await _call(database, identity, "edit_message(:id, :body)", {"id": id, "body": storable(body)})


async def delete(database: Database, identity: Identity, id: UUID) -> None:
    """Delete an own message, or any as an admin; raises NotAccepted or NotFound."""
    await _call(database, identity, "delete_message(:id)", {"id": id})


async def react(database: Database, identity: Identity, id: UUID, emoji: str, *, is_on: bool) -> None:
    """Add or take back a reaction; raises NotAccepted or NotFound."""
    await _call(database, identity, "react(:id, :emoji, :is_on)", {"id": id, "emoji": storable(emoji), "is_on": is_on})


async def mark_read(database: Database, identity: Identity, thread: UUID, number: int) -> None:
    """Note that the user has read a thread up to a message; never goes back."""
    await _call(database, identity, "mark_thread_read(:thread, :number)", {"thread": thread, "number": number})


async def handle(
    database: Database,
    identity: Identity,
    org_id: UUID,
    subject: Subject,
    handling: Handling,
    *,
    note: str = "",
    until: datetime | None = None,
) -> None:
    """Take, release, snooze or resolve a run or an alert for the team; raises NotAccepted or NotFound."""
    values = {
        "org": org_id,
        "table": subject.table.value,
        "subject": subject.id,
        "handling": handling.value,
        "note": storable(note),
        "until": until,
    }
    await _call(database, identity, "handle_subject(:org, :table, :subject, :handling, :note, :until)", values)


async def thread_id(database: Database, identity: Identity, org_id: UUID, subject: Subject) -> UUID | None:
    """Return the id of the thread about a subject; None before its first message."""
    values = {"org": org_id, "table": subject.table.value, "subject": subject.id}
    async with database.as_user(identity) as session:
        found: UUID | None = (await (await session.connection()).execute(_THREAD_ID, values)).scalar_one_or_none()
        return found


async def page(
    database: Database,
    identity: Identity,
    thread: UUID,
    *,
    before: int | None = None,
    after: int | None = None,
    limit: int = PAGE_MESSAGES,
) -> list[Message]:
    """Read messages of a thread, oldest first: the latest, those before a number, or those after one."""
    is_after = after is not None
    where = "and number > :number" if is_after else "and number < :number" if before is not None else ""
    statement = text(_LATEST.format(where=where, order="asc" if is_after else "desc"))
    values = {"thread": thread, "limit": limit, "number": after if is_after else before}
    if not where:
        del values["number"]
    async with database.as_user(identity) as session:
        rows = [Message.read(row[0]) for row in await (await session.connection()).execute(statement, values)]
    return rows if is_after else rows[::-1]


async def find(
    database: Database, identity: Identity, org_id: UUID, words: str, *, thread: UUID | None = None
) -> list[tuple[Message, Thread]]:
    """Find messages with all words, of which the last may be the beginning of one, with their threads; latest first."""
    known = [word for word in "".join(each if each.isalnum() else " " for each in words).split() if word][:20]
    if not known:
        return []
    values = {
        "org": org_id,
        "thread": thread,
        "prefix": " & ".join([*known[:-1], f"{known[-1]}:*"]),
        "limit": MAX_FOUND,
    }
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_FIND, values)
        return [(Message.read(message), Thread.read(thread)) for message, thread in rows]


async def _call(database: Database, identity: Identity, call: str, values: Mapping[str, Any]) -> None:
    async with refusable(database, identity) as connection:
        await connection.execute(text(f"select public.{call}"), values)
