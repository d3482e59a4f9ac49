"""A person's choice of search, facets and sort of a list, to and from URL parameters."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic

from services.entities import R
from services.entities.base.listing import Facet, ListSpec, Sort
from services.text import folded

MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery(Generic[R]):
    """One choice within a spec.

    A row matches when it has every word of `search`, ignoring case and accents, and for each chosen facet one of the
    chosen values.
    """

    spec: ListSpec[R]
    search: str = ""
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sort: Sort[R]

    @classmethod
    def parse(cls, spec: ListSpec[R], params: Mapping[str, Any]) -> "ListQuery[R]":
        """Read `q`, `sort` and one comma-separated parameter per facet; ignores what the spec does not know."""
        chosen = {}
        for facet in spec.facets:
            values = frozenset(filter(None, str(params.get(facet.name) or "")[:MAX_TEXT].split(",")))
            if facet.options:
                values &= {option.value for option in facet.options}
            if values:
                chosen[facet.name] = values
        sorts = {sort.name: sort for sort in spec.sorts}
        return cls(
            spec=spec,
            search=str(params.get("q") or "")[:MAX_TEXT],
            chosen=chosen,
            sort=sorts.get(str(params.get("sort") or ""), spec.sorts[0]),
        )

    @property
    def params(self) -> dict[str, str]:
        """URL parameters of what differs from all rows in the default order."""
        params = {"q": self.search} if self.search.strip() else {}
        params |= {name: ",".join(sorted(values)) for name, values in self.chosen.items()}
        if self.sort is not self.spec.sorts[0]:
            params["sort"] = self.sort.name
        return params

    @property
    def key(self) -> Hashable:
        """Equal for queries with the same result."""
        chosen = tuple((name, tuple(sorted(values))) for name, values in sorted(self.chosen.items()))
        return (self.spec, self.search, chosen, self.sort.name)

    @property
    def is_everything(self) -> bool:
        """Whether every row matches."""
        return not self.search.strip() and not self.chosen

    @property
    def has_selects(self) -> bool:
        """Whether a value of a select is chosen."""
        return any(facet.kind == "select" and facet.name in self.chosen for facet in self.spec.facets)

    def matches(self, row: R, *, exclude_facet: str | None = None) -> bool:
        """Whether a row matches; `exclude_facet` ignores one facet, for the counts of its own chips."""
        for each in self.spec.facets:
            wanted = self._wanted(each)
            if wanted and each.name != exclude_facet and wanted.isdisjoint(each.values(row)):
                return False
        words = folded(self.search).split()
        return not words or all(word in text for text in [folded(self.spec.search_text(row))] for word in words)

    def counts(self, row: R) -> bool:
        """Whether a row counts in the total: it is not left out by default, or was asked for."""
        return all(not each.default or not self._wanted(each).isdisjoint(each.values(row)) for each in self.spec.facets)

    def _wanted(self, facet: Facet[R]) -> frozenset[str]:
        return self.chosen.get(facet.name) or facet.default

    def within(self, search: str) -> "ListQuery[R]":
        """The same query with another search."""
        return replace(self, search=search[:MAX_TEXT])
