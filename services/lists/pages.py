"""Rows of a list from the database: pages by keyset, in the order of the list, and rows by their ids."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic
from uuid import UUID

from pydantic import ValidationError

from services.auth.identity import Identity
from services.entities import Entity, R
from services.entities.base.listing import Sort
from services.infra.database import Database
from services.lists.as_member import read_as_member
from services.lists.conditions import EVERYTHING, Selection, selection_of
from services.lists.query import ListQuery

PAGE_ROWS = 200
LOWEST_ID = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The place of a row in the order of a list.

    Args:
        is_first: Whether it is among the rows that come before all others; see `Sort.first`.
        key: The row's value of the order's expression, as PostgreSQL writes it.
        id: The row.
    """

    is_first: bool
    key: str
    id: UUID

    @classmethod
    def at(cls, moment: datetime) -> "Position":
        """The place before all rows of a time and earlier, in an order by times."""
        return cls(is_first=False, key=moment.isoformat(), id=LOWEST_ID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[R]):
    """Rows in the order of the list; `next` is the place of the last one, None if there are no more."""

    rows: list[R]
    next: Position | None


async def read_page(
    database: Database,
    identity: Identity,
    entity: Entity[R],
    query: ListQuery[R],
    org_id: UUID,
    *,
    only: Mapping[str, UUID] = EVERYTHING,
    after: Position | None = None,
    limit: int = PAGE_ROWS,
) -> Page[R]:
    """Read the rows of an organisation that match a query, from the beginning or after a position; see `selection_of`.

    Rows that the model refuses are left out; the System tab lists them where a feed holds them.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    rows: list[R] = []
    # The rows that come first, then the others: each has an index that is in the order.
    for is_first in (True, False) if query.sort.first else (False,):
        if after is not None and after.is_first and not is_first:
            after = None
        if after is not None and is_first and not after.is_first:
            continue
        wanted = limit - len(rows)
        selection = selection_of(entity, query, org_id, identity, only=only)
        records = await _read(
            database,
            identity,
            entity,
            org_id,
            sort=query.sort,
            selection=selection,
            is_first=is_first,
            after=after,
            limit=wanted,
        )
        rows += [row for _, _, record in records if (row := _valid(entity, record)) is not None]
        if len(records) == wanted:
            key, id, _ = records[-1]
            return Page(rows=rows, next=Position(is_first=is_first, key=key, id=UUID(id)))
    return Page(rows=rows, next=None)


async def read_rows(
    database: Database, identity: Identity, entity: Entity[R], org_id: UUID, ids: Collection[UUID]
) -> dict[UUID, R]:
    """Read those of some rows of an organisation that exist; raises like `read_page`."""
    statement = (
        f"select coalesce(jsonb_agg(to_jsonb(item)), '[]') from public.{entity.table} as item "
        "where org_id = %(org)s and id = any (%(ids)s)"
    )
    records = await read_as_member(database, identity, org_id, statement, {"org": org_id, "ids": list(ids)})
    return {row.id: row for record in records if (row := _valid(entity, record)) is not None}


async def matching_ids(
    database: Database, identity: Identity, entity: Entity[R], query: ListQuery[R], org_id: UUID
) -> list[UUID]:
    """Return the ids of all rows that match a query; raises like `read_page`."""
    selection = selection_of(entity, query, org_id, identity)
    statement = f"select coalesce(jsonb_agg(id), '[]') from {selection.where()}"
    return [UUID(id) for id in await read_as_member(database, identity, org_id, statement, selection.values)]


async def _read(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    org_id: UUID,
    *,
    sort: Sort[Any],
    selection: Selection,
    is_first: bool,
    after: Position | None,
    limit: int,
) -> Sequence[tuple[str, str, Mapping[str, Any]]]:
    values = {**selection.values, "limit": limit}
    conditions = []
    if sort.first:
        conditions.append(sort.first if is_first else f"not coalesce({sort.first}, false)")
    if after is not None:
        beyond = "<" if sort.is_descending else ">"
        key = f"%(after_key)s::{sort.type}" + (' collate "C"' if sort.type == "text" else "")
        # The first bound is that of an index, which lacks the id or has another order of them.
        conditions.append(f"{sort.sql} {beyond}= {key} and ({sort.sql} {beyond} {key} or id > %(after_id)s)")
        values |= {"after_key": after.key, "after_id": after.id}
    direction = "desc" if sort.is_descending else "asc"
    rows = (
        f"select {entity.table}.*, {sort.sql} as _key from {selection.where(*conditions)} "
        f"order by {sort.sql} {direction}, id limit %(limit)s"
    )
    # As JSON, like a feed's snapshot, so that one decoder serves both.
    statement = (
        "select coalesce(jsonb_agg(jsonb_build_array(_key::text, id, to_jsonb(item) - '_key')), '[]') "
        f"from ({rows}) as item"
    )
    records: Sequence[tuple[str, str, Mapping[str, Any]]] = await read_as_member(
        database, identity, org_id, statement, values
    )
    return records


def _valid(entity: Entity[R], record: Mapping[str, Any]) -> R | None:
    try:
        return entity.model.read(record)
    except ValidationError:
        return None
