"""The query of a list in SQL: which rows of a table match, and where they are read from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from uuid import UUID

from services.auth.identity import Identity
from services.entities import Entity, Scope
from services.lists.query import ListQuery

MIN_GRAM_BYTES = 3
EVERYTHING: Mapping[str, UUID] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What follows `from` in a statement over the rows of a list, with psycopg's named placeholders.

    Args:
        source: The tables; columns without a name of a table are those of the rows.
        conditions: Conditions that all hold.
        values: Values of the placeholders.
    """

    source: str
    conditions: tuple[str, ...]
    values: Mapping[str, Any]

    def where(self, *more: str) -> str:
        """Return the tables and all conditions, with `more`."""
        return f"{self.source} where {' and '.join([*self.conditions, *more])}"


def selection_of(
    entity: Entity[Any],
    query: ListQuery[Any],
    org_id: UUID,
    identity: Identity,
    *,
    excluded: Collection[str] = (),
    only: Mapping[str, UUID] = EVERYTHING,
    now: datetime | None = None,
) -> Selection:
    """Return which rows of an organisation match a query; of a personal entity those of the user.

    Args:
        entity: Whose rows.
        query: The query; its order is not part of the result.
        org_id: The organisation.
        identity: The user, who may read less than this selects.
        excluded: Names of facets that are ignored.
        only: Values that columns must have; facets are then ignored.
        now: The present, for periods.
    """
    values: dict[str, Any] = {"org": org_id}
    conditions = ["org_id = %(org)s"]
    if entity.scope is Scope.USER:
        conditions.append("user_id = %(user)s")
        values["user"] = identity.user_id
    for facet in entity.listing.facets:
        wanted = query.wanted(facet)
        if wanted and facet.name not in excluded and not only:
            conditions.append(any_of(facet.comparison, facet.conditions, wanted, f"facet_{facet.name}", values))
    for column, id in only.items():
        conditions.append(f"{column} = %(only_{column})s")
        values[f"only_{column}"] = id
    start, end = query.period.bounds(now or datetime.now(UTC))
    for name, bound, operator in (("start", start, ">="), ("end", end, "<")):
        if bound is not None:
            conditions.append(f"{query.time} {operator} %(period_{name})s")
            values[f"period_{name}"] = bound
    source = f"public.{entity.table}"
    if query.words:
        # The rows by themselves, so that their columns need no table's name beside those of the texts.
        source += f" join (select row_id, text from private.{entity.table}_searchable where {_found(query, values)}) "
        source += "as found on found.row_id = id"
    return Selection(source=source, conditions=tuple(conditions), values=values)


def any_of(
    comparison: str, conditions: Mapping[str, str], wanted: Collection[str], placeholder: str, values: dict[str, Any]
) -> str:
    """Return the condition that a row has one of the wanted values of a facet; adds what it needs to `values`.

    Args:
        comparison: SQL condition with `{values}` for the array of the values that have no condition.
        conditions: Conditions of the other values.
        wanted: The values.
        placeholder: Name of the placeholder for the others.
        values: Values of the placeholders.
    """
    alternatives = [conditions[value] for value in sorted(wanted) if value in conditions]
    if compared := [value for value in sorted(wanted) if value not in conditions]:
        values[placeholder] = compared
        alternatives.append(comparison.format(values=f"%({placeholder})s::text[]"))
    return f"({' or '.join(alternatives)})"


def _found(query: ListQuery[Any], values: dict[str, Any]) -> str:
    conditions = ["org_id = %(org)s"]
    for number, word in enumerate(query.words):
        values[f"word_{number}"] = word
        conditions.append(f"position(%(word_{number})s in text) > 0")
        if len(word.encode()) >= MIN_GRAM_BYTES:
            conditions.append(f"grams @> private.grams(%(word_{number})s)")
    return " and ".join(conditions)
