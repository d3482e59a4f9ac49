"""Reads and writes of the documents of streams: reads as the user, writes as the app, which names the authors."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotFound
from services.infra.database import Database
from services.notes.changes import ChangeSet, DocumentText, parse_changes

MAX_SNAPSHOTS = 100
MAX_READ_UPDATES = 5_000
GONE = "The stream was deleted, and its notes with it. Your text is kept here."

_UPDATE = """jsonb_build_object('version', each.version, 'author', each.author_id, 'client', each.client_id,
    'number', each.number, 'changes', each.changes)"""
_READ = text(f"""
    select document.text, document.text_version, (
        select jsonb_agg({_UPDATE} order by each.version) from public.document_updates as each
        where each.document_id = document.stream_id and each.version > document.text_version)
    from public.streams as stream left join public.documents as document on document.stream_id = stream.id
    where stream.id = :stream
""")
_SINCE = text(f"""
    select {_UPDATE} from public.document_updates as each
    where each.document_id = :stream and each.version > :version order by each.version limit :limit
""")
_VERSION = text("""
    select coalesce(document.version, 0)
    from public.streams as stream left join public.documents as document on document.stream_id = stream.id
    where stream.id = :stream
""")
_APPEND = text("select private.append_updates(:stream, :base, cast(:updates as jsonb))")
_FOLD = text("select private.fold_document(:stream, :version, :words, :closes)")
_CARET = text("select private.report_caret(:stream, :person, :client, :version, :anchor, :head)")
_HISTORY = text("""
    select id, version, authors, began_at, ended_at from public.document_snapshots
    where document_id = :stream order by version desc limit :limit
""")
_SNAPSHOT = text("select text from public.document_snapshots where id = :id and document_id = :stream")


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftUpdate:
    """A change that a browser sends: of the document at `version`, the `number`-th of its `client`."""

    author: UUID
    client: UUID
    number: int
    version: int
    changes: ChangeSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A confirmed change, which leads to `version`; `raw` is it as JSON."""

    version: int
    author: UUID
    client: UUID
    number: int
    changes: ChangeSet
    raw: list[Any]

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> "Update":
        """Read an update of the database; raises NotAccepted, KeyError or ValueError for what is none."""
        return cls(
            version=int(fields["version"]),
            author=UUID(fields["author"]),
            client=UUID(fields["client"]),
            number=int(fields["number"]),
            changes=parse_changes(fields["changes"], is_stored=True),
            raw=fields["changes"],
        )


class AppendState(StrEnum):
    """What became of an append."""

    WRITTEN = "written"
    BEHIND = "behind"
    REFUSED = "refused"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Answer to an append: the updates that came first, or the places of those that are not written."""

    state: AppendState
    updates: Sequence[Update] = ()
    forbidden: Sequence[int] = ()
    known: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A text of the history: the version, who wrote since the snapshot before, and when."""

    id: UUID
    version: int
    authors: Mapping[UUID, str]
    began_at: datetime
    ended_at: datetime


async def read_document(database: Database, identity: Identity, stream: UUID) -> tuple[DocumentText, int]:
    """Read the notes of a stream and their version; raises NotFound where the user sees no such stream."""
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_READ, {"stream": stream})).one_or_none()
    if row is None:
        raise NotFound(GONE)
    words, version, updates = row
    document, version = DocumentText(words or ""), version or 0
    for update in map(Update.read, updates or ()):
        document, version = update.changes.apply(document), update.version
    return document, version


async def read_version(database: Database, identity: Identity, stream: UUID) -> int:
    """Read the version of the notes alone; raises NotFound where the user sees no such stream."""
    async with database.as_user(identity) as session:
        version = (await (await session.connection()).execute(_VERSION, {"stream": stream})).scalar_one_or_none()
    if version is None:
        raise NotFound(GONE)
    return int(version)


async def read_updates(database: Database, identity: Identity, stream: UUID, version: int) -> list[Update] | None:
    """Read the updates since a version; None where some were trimmed, or they are too many."""
    values = {"stream": stream, "version": version, "limit": MAX_READ_UPDATES + 1}
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_SINCE, values)
        updates = [Update.read(row[0]) for row in rows]
    if updates and (updates[0].version != version + 1 or len(updates) > MAX_READ_UPDATES):
        return None
    return updates


async def append_updates(database: Database, stream: UUID, base: int, updates: Sequence[DraftUpdate]) -> Appended:
    """Write updates of the document at version `base`, one after the other; returns what became of them."""
    fields = [
        {
            "author": str(each.author),
            "client": str(each.client),
            "number": each.number,
            "changes": each.changes.to_json(),
        }
        for each in updates
    ]
    values = {"stream": stream, "base": base, "updates": json.dumps(fields)}
    async with database.as_app() as session:
        answer = (await (await session.connection()).execute(_APPEND, values)).scalar_one()
    return Appended(
        state=AppendState(answer["state"]),
        updates=[Update.read(each) for each in answer.get("updates", ())],
        forbidden=answer.get("forbidden", ()),
        known=answer.get("known", ()),
    )


async def fold_document(database: Database, stream: UUID, version: int, words: str, *, closes: bool = False) -> None:
    """Store the text of a version, for readers and for the history; `closes` lets what follows be another snapshot."""
    values = {"stream": stream, "version": version, "words": words, "closes": closes}
    async with database.as_app() as session:
        await (await session.connection()).execute(_FOLD, values)


async def report_caret(
    database: Database, stream: UUID, person: UUID, client: UUID, *, version: int, anchor: int, head: int
) -> None:
    """Tell everybody who has the notes open where a member's caret is."""
    values = {"stream": stream, "person": person, "client": client, "version": version, "anchor": anchor, "head": head}
    async with database.as_app() as session:
        await (await session.connection()).execute(_CARET, values)


async def history(database: Database, identity: Identity, stream: UUID) -> list[Snapshot]:
    """Read the latest snapshots of the notes, the latest first."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_HISTORY, {"stream": stream, "limit": MAX_SNAPSHOTS})
        return [
            Snapshot(
                id=row.id,
                version=row.version,
                authors={UUID(id): str(name) for id, name in row.authors.items()},
                began_at=row.began_at,
                ended_at=row.ended_at,
            )
            for row in rows
        ]


async def snapshot_text(database: Database, identity: Identity, stream: UUID, id: UUID) -> str:
    """Read the text of a snapshot; raises NotFound where there is none, or no longer."""
    async with database.as_user(identity) as session:
        words = (
            await (await session.connection()).execute(_SNAPSHOT, {"id": id, "stream": stream})
        ).scalar_one_or_none()
    if words is None:
        raise NotFound("This version of the notes is not kept any more.")
    return str(words)
