"""Counts of the rows that match a query, by groups, and their distribution in time."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic
from uuid import UUID

from services.auth.identity import Identity
from services.entities import Entity, R, RowGroup
from services.entities.base.grouping import grouped, read_groups
from services.entities.base.listing import Facet
from services.infra.database import Database
from services.lists.as_member import read_as_member
from services.lists.conditions import selection_of
from services.lists.query import ListQuery

MAX_COUNT = 100_000
"""Rows that are counted; of more it is said that there are more."""
BUCKETS = 60
MAX_OPTIONS = 200
CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCounts(Generic[R]):
    """The rows that match a query by groups; `is_exact` is false where there are more than were counted."""

    groups: tuple[RowGroup[R], ...]
    is_exact: bool


async def count_groups(
    database: Database, identity: Identity, entity: Entity[R], query: ListQuery[R], org_id: UUID
) -> GroupCounts[R]:
    """Count the rows that match the search, the range and the selects of a query; its chips are counted by groups.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
        pydantic.ValidationError: A group has a value that the model refuses.
    """
    assert entity.grouping is not None
    chips = [facet.name for facet in entity.listing.facets if facet.kind == "chips"]
    selection = selection_of(entity, query, org_id, identity, excluded=chips)
    rows = f"(select {entity.table}.* from {selection.where()} limit {MAX_COUNT + 1}) as counted"
    statement = f"select coalesce(jsonb_agg(to_jsonb(item)), '[]') from ({grouped(entity.grouping, rows)}) as item"
    records = await read_as_member(database, identity, org_id, statement, selection.values)
    groups = read_groups(entity.model, entity.grouping, records)
    return GroupCounts(groups=groups, is_exact=sum(group.count for group in groups) <= MAX_COUNT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How many rows of each part of a range match.

    Args:
        start: Beginning of the first part.
        end: End of the last one.
        counts: Rows of each part.
        critical: Those of them with a critical status.
    """

    start: datetime
    end: datetime
    counts: Sequence[int]
    critical: Sequence[int]


async def read_histogram(
    database: Database, identity: Identity, entity: Entity[R], query: ListQuery[R], org_id: UUID
) -> Histogram | None:
    """Count the rows that match a query in equal parts of its range; None if there are none at all.

    Without a beginning the range starts with the first row, without an end it ends now.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    now = datetime.now(UTC)
    selection = selection_of(entity, query, org_id, identity, now=now)
    start, end = query.period.bounds(now)
    if start is None:
        # The first of all rows: that of those that match may be found only by reading them all.
        everything = selection_of(
            entity, ListQuery(spec=query.spec, sort=query.sort), org_id, identity, excluded=_all(entity)
        )
        found = await read_as_member(
            database,
            identity,
            org_id,
            f"select min({query.time})::text from {everything.where()}",
            everything.values,
        )
        if found is None:
            return None
        start = datetime.fromisoformat(found)
    end = max(end or now, start + timedelta(seconds=1))
    time = query.time
    part = f"width_bucket(extract(epoch from {time})::float8, %(low)s, %(high)s, {BUCKETS})"
    rows = selection.where(f"{time} >= %(low_time)s", f"{time} < %(high_time)s")
    statement = (
        "select coalesce(jsonb_agg(jsonb_build_array(part, count, critical)), '[]') from (select "
        f"{part} as part, count(*) as count, count(*) filter (where {_critical(entity)}) as critical "
        f"from {rows} group by 1) as parts"
    )
    values = {
        **selection.values,
        **{"low": start.timestamp(), "high": end.timestamp(), "low_time": start, "high_time": end},
    }
    counts, critical_counts = [0] * BUCKETS, [0] * BUCKETS
    for number, count, critical in await read_as_member(database, identity, org_id, statement, values):
        place = min(max(number - 1, 0), BUCKETS - 1)
        counts[place] += count
        critical_counts[place] += critical
    return Histogram(start=start, end=end, counts=counts, critical=critical_counts)


async def read_options(
    database: Database,
    identity: Identity,
    entity: Entity[R],
    facet: Facet[R],
    org_id: UUID,
    *,
    chosen: Collection[str] = (),
) -> list[tuple[str, str]]:
    """Return the values of a select and their labels, of the rows that no default leaves out.

    The most frequent ones, and before them those that are `chosen`.

    Raises:
        PermissionDenied: The user is no member of the organisation, or no longer.
        DatabaseUnavailable: PostgreSQL did not answer, or not in time.
    """
    everything: ListQuery[R] = ListQuery(spec=entity.listing, sort=entity.listing.sorts[0])
    selection = selection_of(entity, everything, org_id, identity)
    column = facet.column
    if facet.is_array:
        column = "element"
        selection = replace(selection, source=f"{selection.source} cross join unnest({facet.column}) as element")
    statement = (
        "select coalesce(jsonb_agg(jsonb_build_array(value, label)), '[]') from ("
        f"select {column}::text as value, {facet.label_sql} as label from {selection.where()} "
        f"group by {column} order by ({column}::text = any (%(chosen)s::text[])) desc, count(*) desc "
        f"limit {MAX_OPTIONS}) as options where label is not null"
    )
    found = await read_as_member(database, identity, org_id, statement, {**selection.values, "chosen": list(chosen)})
    # Parameters of URLs separate values by commas.
    return [(value, label) for value, label in found if "," not in value]


def _critical(entity: Entity[Any]) -> str:
    values = [status.value for status in entity.statuses if status.style.tone == CRITICAL]
    column = next((facet.column for facet in entity.listing.facets if facet.column), "")
    return f"{column}::text in ({', '.join(map(repr, values))})" if values and column else "false"


def _all(entity: Entity[Any]) -> list[str]:
    return [facet.name for facet in entity.listing.facets]
