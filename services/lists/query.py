"""A person's choice of search, facets, range and sort of a list, to and from URL parameters."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Generic

from services import period
from services.entities import R
from services.entities.base.listing import Facet, ListSpec, Sort
from services.period import EVERYTHING, Period
from services.text import folded, storable

MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery(Generic[R]):
    """One choice within a spec.

    A row matches when it has every word of `search`, ignoring case and accents, for each chosen facet one of the
    chosen values, and its time is within the period.
    """

    spec: ListSpec[R]
    search: str = ""
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    period: Period = EVERYTHING
    sort: Sort[R]

    @classmethod
    def parse(cls, spec: ListSpec[R], params: Mapping[str, Any]) -> "ListQuery[R]":
        """Read `q`, `sort`, the range and one comma-separated parameter per facet; ignores what it does not know."""
        chosen = {}
        for facet in spec.facets:
            values = frozenset(filter(None, storable(str(params.get(facet.name) or ""))[:MAX_TEXT].split(",")))
            if facet.options:
                values &= {option.value for option in facet.options}
            if values:
                chosen[facet.name] = values
        sorts = {sort.name: sort for sort in spec.sorts}
        return cls(
            spec=spec,
            search=storable(str(params.get("q") or ""))[:MAX_TEXT],
            chosen=chosen,
            period=Period.parse(params),
            sort=sorts.get(str(params.get("sort") or ""), spec.sorts[0]),
        )

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of all its URL parameters."""
        return ("q", "sort", *period.PARAMETERS, *(facet.name for facet in self.spec.facets))

    @property
    def params(self) -> dict[str, str]:
        """URL parameters of what differs from all rows in the default order."""
        params = {"q": self.search} if self.search.strip() else {}
        params |= {name: ",".join(sorted(values)) for name, values in self.chosen.items()}
        params |= self.period.params
        if self.sort is not self.spec.sorts[0]:
            params["sort"] = self.sort.name
        return params

    @property
    def key(self) -> Hashable:
        """Equal for queries with the same result."""
        chosen = tuple((name, tuple(sorted(values))) for name, values in sorted(self.chosen.items()))
        return (self.spec, self.search, chosen, self.period, self.sort.name)

    @property
    def words(self) -> tuple[str, ...]:
        """The folded words of the search."""
        return _words(self.search)

    @property
    def is_everything(self) -> bool:
        """Whether every row matches."""
        return not self.words and not self.chosen and self.period.is_everything

    @property
    def time(self) -> str:
        """Column of the time by which its range selects rows."""
        return self.spec.ended if self.period.by == period.BY_END and self.spec.ended else self.spec.time

    @property
    def has_chips_only(self) -> bool:
        """Whether it has no words, no range and no value of a select."""
        has_select = any(facet.kind == "select" and facet.name in self.chosen for facet in self.spec.facets)
        return not self.words and self.period.is_everything and not has_select

    @property
    def chips(self) -> "ListQuery[R]":
        """The same query with the chips alone."""
        kinds = {facet.name: facet.kind for facet in self.spec.facets}
        chosen = {name: values for name, values in self.chosen.items() if kinds[name] == "chips"}
        return replace(self, search="", period=EVERYTHING, chosen=chosen)

    @property
    def time_dependent(self) -> bool:
        """Whether a row may match or not with time alone."""
        return self.spec.time_dependent or self.period.moves

    def matches(self, row: R, *, exclude_facet: str | None = None, searched: str | None = None) -> bool:
        """Whether a row matches.

        Args:
            row: The row.
            exclude_facet: Name of a facet that is ignored, for the counts of its own chips.
            searched: What `ListSpec.searched` returns for the row, if many queries ask for it.
        """
        for each in self.spec.facets:
            wanted = self.wanted(each)
            if wanted and each.name != exclude_facet and wanted.isdisjoint(each.values(row)):
                return False
        if not self.period.is_everything and not self.period.includes(getattr(row, self.time), datetime.now(UTC)):
            return False
        words = self.words
        return not words or all(
            word in text for text in [self.spec.searched(row) if searched is None else searched] for word in words
        )

    def counts(self, row: R) -> bool:
        """Whether a row counts in the total: it is not left out by default, or was asked for."""
        return all(not each.default or not self.wanted(each).isdisjoint(each.values(row)) for each in self.spec.facets)

    def wanted(self, facet: Facet[R]) -> frozenset[str]:
        """The values of a facet of which a row must have one; none if any will do."""
        return self.chosen.get(facet.name) or facet.default


@lru_cache(maxsize=256)
def _words(search: str) -> tuple[str, ...]:
    # Asked for with every row.
    return tuple(dict.fromkeys(folded(search).split()))
