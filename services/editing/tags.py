"""Tags of many runs at once, which are taken back to exactly what each run had."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import Entity
from services.errors import PermissionDenied
from services.infra.database import Database
from services.infra.postgres.batches import in_batches
from services.infra.postgres.refusals import refusable
from services.text import storable

BATCH_ROWS = 500
"""Runs that one statement tags: each change is broadcast, and of streams also noted as an edit."""
MAX_TAGS_SHOWN = 500
"""Tags of an organisation that are offered, those of the chosen runs first."""

_USES = text("""
    select tag as name, count(distinct id) filter (where id = any (:ids)) as chosen, count(distinct id) as used
    from (
        select id, unnest(tags) as tag from public.streams where org_id = :org
        union all select id, unnest(tags) from public.acquisition_scans where org_id = :org
        union all select id, unnest(tags) from public.agent_executions where org_id = :org
    ) as uses
    group by tag order by chosen desc, used desc, tag limit :limit
""")
_TAG = text("select public.tag_runs(:kind, :ids, :added, :removed)")
_RESTORE = text("select public.restore_tags(:kind, cast(:tagged as jsonb))")

Tagged = dict[str, Any]
"""A changed run: its `id`, and its tags `before` and `after`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagUse:
    """A tag of an organisation: how many of the chosen runs have it, and how many runs in all."""

    name: str
    chosen: int
    used: int


async def tag_uses(database: Database, identity: Identity, org_id: UUID, ids: Collection[UUID]) -> list[TagUse]:
    """Read the tags of an organisation's runs of all kinds, those of the runs with `ids` first."""
    async with database.as_user(identity) as session:
        values = {"org": org_id, "ids": list(ids), "limit": MAX_TAGS_SHOWN}
        return [TagUse(**row._mapping) for row in await (await session.connection()).execute(_USES, values)]


async def tag_runs(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    ids: Collection[UUID],
    *,
    added: Collection[str] = (),
    removed: Collection[str] = (),
    on_batch: Callable[[list[Tagged]], object] = lambda _: None,
) -> list[Tagged]:
    """Add tags to runs and remove others; returns the runs that changed.

    `on_batch` is called with the changed runs of each batch, which an error later on does not undo.

    Raises:
        NotAccepted: A tag is no tag, or a run would have too many; names it.
        PermissionDenied: The user may not write any of the runs.
    """
    values = {"kind": entity.table, "added": [storable(tag) for tag in added], "removed": list(removed)}

    async def tag(batch: Sequence[UUID]) -> list[Tagged] | None:
        async with refusable(database, identity) as connection:
            found: list[Tagged] | None = (await connection.execute(_TAG, {"ids": list(batch), **values})).scalar_one()
            return found

    changed: list[Tagged] = []
    is_found = False
    async for found in in_batches(list(ids), BATCH_ROWS, tag):
        if found is not None:
            is_found = True
            changed += found
            on_batch(found)
    if ids and not is_found:
        raise PermissionDenied(
            f"No {entity.noun} was tagged: only operators and admins tag {entity.plural}, and it may have been deleted."
        )
    return changed


async def restore_tags(
    database: Database,
    identity: Identity,
    entity: Entity[Any],
    tagged: Sequence[Tagged],
    *,
    on_batch: Callable[[int], object] = lambda _: None,
) -> int:
    """Give runs the tags that they had before; those that were tagged differently since are left alone.

    Returns:
        The number of runs that have their tags back.
    """

    async def restore(batch: Sequence[Tagged]) -> int:
        values = {"kind": entity.table, "tagged": json.dumps(list(batch))}
        async with refusable(database, identity) as connection:
            return int((await connection.execute(_RESTORE, values)).scalar_one())

    count = 0
    async for restored in in_batches(tagged, BATCH_ROWS, restore):
        count += restored
        on_batch(restored)
    return count
