"""Edits of streams, merged by field; functions of the database decide what is allowed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import Edit
from services.errors import NotAccepted
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.text import storable

FIELDS: Mapping[str, str] = {
    "name": "the name",
    "description": "the description",
    "goal_status": "the status",
    "total": "the goal",
    "owner_id": "the owner",
    "due_on": "the due date",
    "tags": "the tags",
    "target_metrics": "the target metrics",
}
"""Fields that people edit, and what they are called in a sentence."""
MAX_EDITS = 50

_EDIT = text("select public.edit_stream(:stream, cast(:base as jsonb), cast(:changes as jsonb), :undoes)")
_CREATE = text("select public.create_stream(:org, :name, :description)")
_READ = text("""
    select to_jsonb(edit) from public.edits as edit where stream_id = :stream order by created_at desc, id limit :limit
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldConflict:
    """A field that somebody else has changed meanwhile: its value now, and who, where that is known."""

    value: Any
    by: str | None


async def create_stream(
    database: Database, identity: Identity, org_id: UUID, name: str, *, description: str = ""
) -> UUID:
    """Begin a stream without a program; returns its id.

    Raises:
        NotAccepted: The name or the description is not accepted.
        PermissionDenied: The user may only read.
    """
    values = {"org": org_id, "name": storable(name), "description": storable(description)}
    async with refusable(database, identity) as connection:
        made: UUID = (await connection.execute(_CREATE, values)).scalar_one()
        return made


async def edit_stream(
    database: Database,
    identity: Identity,
    stream: UUID,
    *,
    base: Mapping[str, Any],
    changes: Mapping[str, Any],
    undoes: UUID | None = None,
) -> dict[str, FieldConflict]:
    """Change fields of a stream; returns those that somebody else has changed since, which are left alone.

    Args:
        database: Where the stream is.
        identity: The user.
        stream: The stream.
        base: Values of the changed fields as the user saw them.
        changes: New values by field.
        undoes: The edit that is taken back, if any.

    Raises:
        NotAccepted: A value is not one of its field.
        NotFound: The stream was deleted, or the user may only read it.
    """
    values = {"stream": stream, "base": _json(base), "changes": _json(changes), "undoes": undoes}
    async with refusable(database, identity) as connection:
        left_alone: dict[str, Any] = (await connection.execute(_EDIT, values)).scalar_one()
    return {field: FieldConflict(value=each["value"], by=each["by"]) for field, each in left_alone.items()}


async def undo(database: Database, identity: Identity, edit: Edit) -> dict[str, FieldConflict]:
    """Take an edit back, unless the field has changed since; raises like `edit_stream`."""
    base, changes = {edit.field: edit.after}, {edit.field: edit.before}
    return await edit_stream(database, identity, edit.stream_id, base=base, changes=changes, undoes=edit.id)


async def edits_of(database: Database, identity: Identity, stream: UUID) -> list[Edit]:
    """Read the latest edits of a stream, the latest first."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_READ, {"stream": stream, "limit": MAX_EDITS})
        return [Edit.read(row[0]) for row in rows]


def _json(values: Mapping[str, Any]) -> str:
    """Return values as JSON that PostgreSQL stores; raises NotAccepted for those that are none."""
    try:
        return json.dumps(_storable(dict(values)), allow_nan=False)
    except (ValueError, TypeError, RecursionError) as error:
        raise NotAccepted("The fields hold something that is no value.") from error


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(each) for each in value]
    return {storable(str(name)): _storable(each) for name, each in value.items()} if isinstance(value, dict) else value
