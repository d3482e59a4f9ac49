"""Artefacts of runs: stored as the key that reports them, read as the signed-in user, removed with their runs."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotAccepted
from services.infra.claims import Claimant
from services.infra.database import Database
from services.results.artefact_files import ArtefactFiles

MAX_ARTEFACT_BYTES = 20 * 2**20
MAX_MARKDOWN_BYTES = 200_000
MAX_TABLE_CELLS = 100_000
KINDS = ("file", "image", "table", "markdown")
IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
"""Types of the images that pages show, by their first bytes; besides them WebP."""
REMOVALS = 100

_LIST = text("""
    select id, name, kind, media_type, size, sha256, created_at from public.artefacts
    where run_id = :run order by created_at, number limit 500
""")
_ONE = text("select org_id, blob, name, kind, media_type from public.artefacts where id = :id")
_USE = text("select used, quota from public.artefact_use(:org)")
_RESERVE = "select private.reserve_artefact(%(org)s, %(run)s, %(name)s, %(size)s)"
_ADD = "select private.add_artefact(%(org)s, %(run)s, %(subject)s, %(artefact)s::jsonb)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artefact:
    """One artefact; `media_type` was found out from its bytes, and `size` is in bytes."""

    id: UUID
    name: str
    kind: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The bytes of an artefact."""

    name: str
    kind: str
    media_type: str
    content: bytes


async def store_artefact(
    database: Database,
    files: ArtefactFiles,
    key: Claimant,
    org: UUID,
    *,
    run: str,
    name: str,
    kind: str,
    content: bytes,
) -> dict[str, Any]:
    """Store an artefact in place of one with its name.

    Args:
        database: Where its row is.
        files: Where its bytes are.
        key: The key that reports it.
        org: The key's organisation.
        run: Path of the run, as `streams/nightly`.
        name: Its name, checked by the caller.
        kind: One of `KINDS`.
        content: Its bytes, at most `MAX_ARTEFACT_BYTES`.

    Returns:
        `id`, or `refused` (a code), `message` and `field`.

    Raises:
        NotAccepted: The bytes are not what `kind` says.
        DatabaseUnavailable: PostgreSQL did not respond.
        FilesUnavailable: The bytes could not be stored.
    """
    media_type = media_type_of(kind, content)
    values = {"org": org, "run": run}
    reserved: dict[str, Any] = await database.call(key, _RESERVE, {**values, "name": name, "size": len(content)})
    if "refused" in reserved:
        return reserved
    await files.put(org, UUID(reserved["blob"]), content)
    artefact = {
        "name": name,
        "kind": kind,
        "media_type": media_type,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "blob": reserved["blob"],
    }
    added: dict[str, Any] | None = await database.call(
        key, _ADD, {**values, "subject": UUID(reserved["run"]), "artefact": json.dumps(artefact)}
    )
    if added is None:
        return {"refused": "not_found", "message": f"{run} was deleted meanwhile.", "field": "run"}
    return added


async def artefacts_of(database: Database, identity: Identity, run: UUID) -> list[Artefact]:
    """Return the artefacts of a run, the earliest first; none if the user may not see it."""
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_LIST, {"run": run})).all()
    return [Artefact(**row._mapping) for row in rows]


async def artefact_use(database: Database, identity: Identity, org: UUID) -> tuple[int, int]:
    """Return the bytes that an organisation stores and those that it may store."""
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_USE, {"org": org})).one()
    return row.used, row.quota


async def read_artefact(database: Database, files: ArtefactFiles, identity: Claimant, id: UUID) -> Content | None:
    """Return an artefact with its bytes; None if there is none, or the user may not see it."""
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_ONE, {"id": id})).one_or_none()
    if row is None or (content := await files.get(row.org_id, row.blob)) is None:
        return None
    return Content(name=row.name, kind=row.kind, media_type=row.media_type, content=content)


async def remove_blobs(database: Database, files: ArtefactFiles) -> int:
    """Remove one batch of bytes that no artefact has any more; returns their number."""
    async with database.as_app() as session:
        rows = (
            await (await session.connection()).execute(text("select * from private.due_blobs(:n)"), {"n": REMOVALS})
        ).all()
    if not rows:
        return 0
    await files.remove([(row.org_id, row.blob) for row in rows])
    async with database.as_app() as session:
        forget = text("select private.forget_blobs(:blobs)")
        await (await session.connection()).execute(forget, {"blobs": [row.blob for row in rows]})
    return len(rows)


def media_type_of(kind: str, content: bytes) -> str:
    """Return the type of bytes, whatever a program says of them; raises NotAccepted if `kind` is something else."""
    image = _image_type(content)
    if kind == "image":
        if image is None:
            raise NotAccepted(
                f"The image begins with {content[:8]!r}: it is no PNG, JPEG, GIF or WebP. Store other formats as files."
            )
        return image
    if kind == "markdown":
        if len(content) > MAX_MARKDOWN_BYTES:
            raise NotAccepted(f"The text has {len(content):,} bytes; the maximum is {MAX_MARKDOWN_BYTES:,}.")
        _decoded(content)
        return "text/markdown"
    if kind == "table":
        table_of(content)
        return "application/json"
    return image or "application/octet-stream"


def table_of(content: bytes) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of a table; raises NotAccepted for what is none."""
    try:
        parsed = json.loads(_decoded(content))
    except (ValueError, RecursionError) as error:
        raise NotAccepted(f"The table is not JSON: {error}.") from error
    columns = parsed.get("columns") if isinstance(parsed, Mapping) else None
    rows = parsed.get("rows") if isinstance(parsed, Mapping) else None
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise NotAccepted('A table is an object of "columns", a list of names, and "rows", lists of values.')
    cells = max(1, len(columns)) * len(rows)
    if max(cells, sum(map(len, rows))) > MAX_TABLE_CELLS:
        raise NotAccepted(f"The table has {cells:,} cells; the maximum is {MAX_TABLE_CELLS:,}. Store it as a file.")
    return [str(column) for column in columns], rows


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise NotAccepted(f"The text is not UTF-8: {error.reason} at byte {error.start}.") from error


def _image_type(content: bytes) -> str | None:
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for magic, kind in IMAGES.items() if content.startswith(magic)), None)
