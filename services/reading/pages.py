"""Pages of rows by keyset, and single rows, read under the claims of a key."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.infra.claims import Claimant
from services.infra.database import Database
from services.reading.addresses import row_id
from services.reading.as_key import read_as_key
from services.reading.cursors import Position, encode_cursor
from services.reading.questions import Question
from services.reading.resources import Resource
from services.text import folded

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SCANNED_ROWS = 1_000
MAX_SCANNED_ROWS = 10_000
"""Rows whose text is compared for one page of a search, before the page ends early with a cursor."""
# Python knows no later times.
LATEST = "'9999-12-31'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Rows as JSON values, and the cursor of the next page; None on the last."""

    items: list[dict[str, Any]]
    next: str | None


async def read_page(database: Database, key: Claimant, question: Question) -> Page:
    """Read one page.

    Raises:
        IngestRefused: The key no longer works, or the database did not respond.
    """
    found: list[dict[str, Any]] = []
    after, scanned = question.after, 0
    wanted = question.limit if not question.words else max(question.limit, SCANNED_ROWS)
    while True:
        records = await _read(database, key, replace(question, after=after), wanted + 1)
        has_more = len(records) > wanted
        for record in records[:wanted]:
            text = record.pop("_text", "")
            at = Position(number=record.pop("_at"), id=UUID(record["id"]))
            if question.words and not all(word in text for text in [folded(text)] for word in question.words):
                after = at
                continue
            if len(found) == question.limit:
                return Page(items=found, next=_cursor(after, question))
            found.append(record)
            after = at
        scanned += wanted
        if not has_more:
            return Page(items=found, next=None)
        if len(found) == question.limit or scanned >= MAX_SCANNED_ROWS:
            return Page(items=found, next=_cursor(after, question))


async def read_row(
    database: Database, key: Claimant, resource: Resource, org_id: UUID, name: str
) -> dict[str, Any] | None:
    """Read one row by its address, see `row_id`; None if the key sees no such row."""
    id, values = row_id(resource, org_id, name)
    columns = _columns({**resource.columns, **resource.large})
    statement = (
        f"select to_jsonb(item) from (select {columns} from public.{resource.entity.table} "
        f"where org_id = %(org)s and {resource.condition} and id = ({id})) as item"
    )
    row: dict[str, Any] | None = await read_as_key(database, key, statement, values)
    return row


async def _read(database: Database, key: Claimant, question: Question, count: int) -> list[dict[str, Any]]:
    resource, column = question.resource, question.column
    conditions, values = [*question.conditions, f"{column} < {LATEST}"], dict(question.values)
    columns = _columns(resource.columns) + f", (extract(epoch from {column}) * 1000000)::bigint as _at"
    if question.words:
        text = resource.entity.listing.searched_sql
        columns += f", {text} as _text"
        # The database decides for ASCII, whose folding is the lower case; all else is compared in `read_page`.
        ascii_words = [word for word in question.words if word.isascii()]
        lowered = f'lower({text} collate "C")'
        matches = [f"position(%(word_{n})s in {lowered}) > 0" for n in range(len(ascii_words))]
        if len(ascii_words) < len(question.words):
            matches = ["false"]
        conditions.append(f"({text} ~ '[^\\x01-\\x7f]' or {' and '.join(matches)})")
        values |= {f"word_{n}": word for n, word in enumerate(ascii_words)}
    if question.after is not None:
        # The first bound is that of the index, which lacks the id or has another.
        conditions.append(f"{column} <= %(after_at)s and ({column}, {resource.key}) < (%(after_at)s, %(after_id)s)")
        values |= {"after_at": time_of(question.after.number), "after_id": question.after.id}
    statement = (
        f"select coalesce(jsonb_agg(to_jsonb(item)), '[]') from (select {columns} "
        f"from public.{resource.entity.table} where {' and '.join(conditions)} "
        f"order by {column} desc, {resource.key} desc limit %(count)s) as item"
    )
    records: list[dict[str, Any]] = await read_as_key(database, key, statement, {**values, "count": count})
    return records


def _columns(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{expression} as {name}" for name, expression in columns.items())


def _cursor(after: Position | None, question: Question) -> str:
    assert after is not None
    return encode_cursor(after, question.binding)


def time_of(microseconds: int) -> datetime:
    """Return the time of a position; the earliest for one that no row has."""
    try:
        return EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
