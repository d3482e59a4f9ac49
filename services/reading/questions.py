"""What a request for a page of rows asks for: filters, search, order, range, limit and cursor."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.lists.conditions import any_of
from services.reading.cursors import Position, decode_cursor
from services.reading.parameters import Parameters, invalid
from services.reading.resources import Filter, Resource
from services.text import folded, is_blank

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
RANGE_PARAMETERS = ("since", "until", "zone")
PAGE_PARAMETERS = ("limit", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A range of time: from `since` on, and before `until`."""

    since: datetime | None
    until: datetime | None

    @classmethod
    def parse(cls, parameters: Parameters) -> "Range":
        """Read `since`, `until` and `zone`; raises IngestRefused."""
        since, until = parameters.times("since", "until")
        return cls(since=since, until=until)

    def conditions(self, column: str) -> dict[str, Any]:
        """SQL conditions and their values."""
        bounds = {f"{column} >= %(since)s": self.since, f"{column} < %(until)s": self.until}
        return {condition: bound for condition, bound in bounds.items() if bound is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One page of a resource.

    Args:
        resource: Whose rows.
        conditions: SQL conditions that all hold.
        values: Values of their placeholders.
        words: Folded words that the text of a row has.
        sort: Name of the order.
        limit: Number of rows.
        after: Position of the last row of the page before; None for the first page.
        binding: Text that is equal for the pages of one list alone.
    """

    resource: Resource
    conditions: tuple[str, ...]
    values: dict[str, Any]
    words: tuple[str, ...]
    sort: str
    limit: int
    after: Position | None
    binding: str

    @property
    def column(self) -> str:
        """Column of the order."""
        return self.resource.sorts[self.sort]

    @classmethod
    def parse(cls, resource: Resource, org_id: UUID, pairs: Iterable[tuple[str, str]]) -> "Question":
        """Read the parameters of a request; raises IngestRefused that names the invalid one and the valid values."""
        parameters = Parameters(pairs, parameter_names(resource))
        conditions, values = ["org_id = %(org)s", resource.condition], dict[str, Any]()
        chosen: dict[str, Any] = {}
        for each in resource.filters.values():
            if wanted := _wanted(each, parameters):
                chosen[each.name] = sorted(wanted)
                conditions.append(_condition(each, wanted, values))
        search = parameters.one("q") or ""
        words = tuple(sorted(set(folded(search).split())))
        if search and not words and not is_blank(search):
            raise invalid("q", search, "nothing of it can be searched for; use letters or digits")
        period = Range.parse(parameters)
        (updated_since,) = parameters.times("updated_since") if resource.is_run else (None,)
        for condition, bound in period.conditions("created_at").items():
            conditions.append(condition)
            values[condition.partition("%(")[2].partition(")")[0]] = bound
        if updated_since is not None:
            conditions.append("updated_at >= %(updated_since)s")
            values["updated_since"] = updated_since
        sort = parameters.choice("sort", resource.sorts, next(iter(resource.sorts)))
        binding = binding_of(org_id, resource.name, chosen, words, sort, period.since, period.until, updated_since)
        cursor = parameters.one("cursor")
        return cls(
            resource=resource,
            conditions=tuple(conditions),
            values={"org": org_id, **values},
            words=words,
            sort=sort,
            limit=parameters.limit(DEFAULT_LIMIT, MAX_LIMIT),
            after=decode_cursor(cursor, binding) if cursor else None,
            binding=binding,
        )


def parameter_names(resource: Resource) -> list[str]:
    """The parameters of a resource's list."""
    more = ("updated_since",) if resource.is_run else ()
    return [*resource.filters, "q", *RANGE_PARAMETERS, *more, "sort", *PAGE_PARAMETERS]


def binding_of(*parts: Any) -> str:
    """Return a text that is equal for equal parts alone, for `encode_cursor`."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _wanted(filter: Filter, parameters: Parameters) -> list[str]:
    chosen = parameters.choices(filter.name, filter.values) if filter.values else parameters.many(filter.name)
    return chosen or list(filter.default)


def _condition(filter: Filter, wanted: list[str], values: dict[str, Any]) -> str:
    placeholder = f"filter_{filter.name}"
    if filter.template:
        values[placeholder] = wanted
        return filter.template.format(values=f"%({placeholder})s::text[]")
    return any_of(f"{filter.column} = any ({{values}})", filter.conditions, wanted, placeholder, values)
