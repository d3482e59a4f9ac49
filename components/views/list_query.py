"""What of a list a person asked to see, search, facets and sort, to and from the parameters of an address."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal

from components.presentation.statuses import Tone
from services.entities.entity import R

MAX_TEXT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A value that a facet can have."""

    value: str
    label: str
    icon: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet(Generic[R]):
    """One property to filter by; `values` tells which of them a row has.

    Chips show a few fixed options with counts. A select offers those that the rows have, labelled by `label_of`
    or, in the list, by what knows the names of others.
    """

    name: str
    label: str
    values: Callable[[R], Collection[str]]
    options: tuple[Option, ...] = ()
    kind: Literal["chips", "select"] = "chips"
    label_of: Callable[[R], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort(Generic[R]):
    """An order. One that `is_volatile` changes with the work itself and is applied only when a person asks for it."""

    name: str
    label: str
    key: Callable[[R], Any]
    is_volatile: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ListSpec(Generic[R]):
    """How a kind of row can be searched, filtered and sorted; the first sort is the default. One that `time_dependent` has facets
    whose values change with time alone."""

    text: Callable[[R], str]
    facets: tuple[Facet[R], ...]
    sorts: tuple[Sort[R], ...]
    time_dependent: bool = False

    def facet_values(self, row: R) -> tuple[tuple[str, ...], ...]:
        """The values that a row has of each facet."""
        return tuple(tuple(facet.values(row)) for facet in self.facets)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery(Generic[R]):
    """One choice within a spec. Rows must have every word of `search` and, of each facet chosen, one of the values."""

    spec: ListSpec[R]
    search: str = ""
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    sort: Sort[R]

    @classmethod
    def parse(cls, spec: ListSpec[R], params: Mapping[str, Any]) -> "ListQuery[R]":
        """From `q`, `sort` and a parameter a facet, values by commas; what the spec does not know is left out."""
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
        """What differs from showing everything in the default order, for an address."""
        params = {"q": self.search} if self.search.strip() else {}
        params |= {name: ",".join(sorted(values)) for name, values in self.chosen.items()}
        if self.sort is not self.spec.sorts[0]:
            params["sort"] = self.sort.name
        return params

    @property
    def key(self) -> Hashable:
        """Equal for queries that ask for the same."""
        chosen = tuple((name, tuple(sorted(values))) for name, values in sorted(self.chosen.items()))
        return (self.spec, self.search, chosen, self.sort.name)

    @property
    def is_everything(self) -> bool:
        """Whether no row is left out."""
        return not self.search.strip() and not self.chosen

    def matches(self, row: R, *, exclude_facet: str | None = None) -> bool:
        """Whether the row is asked for; `but` leaves one facet out of the question, for its own counts."""
        for each in self.spec.facets:
            wanted = self.chosen.get(each.name)
            if wanted and each.name != exclude_facet and wanted.isdisjoint(each.values(row)):
                return False
        words = self.search.casefold().split()
        return not words or all(word in text for text in [self.spec.text(row).casefold()] for word in words)

    def within(self, search: str) -> "ListQuery[R]":
        """The same with another search."""
        return replace(self, search=search[:MAX_TEXT])
