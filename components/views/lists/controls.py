"""The controls above a list, as one window sees them: the query, and the counts behind the chips."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Self
from urllib.parse import urlencode
from uuid import UUID

from components.views.shared import CountedSource
from components.window.batch import Batch
from services.entities import R, RowGroup
from services.entities.base.listing import Facet
from services.lists.counting import MAX_COUNT
from services.lists.query import ListQuery
from services.text import folded

TIME_DEPENDENT_TTL_SECONDS = 5.0
"""Age after which facet values that change with time alone are computed again."""

_NOTHING: dict[str, dict[str, Any]] = {
    "counts": {},
    "summary": {"shown": None, "total": None, "bound": "", "refused": True},
}
"""What is sent of rows that the reader may not see any more."""

Labels = Mapping[str, Callable[[str], str]]
"""By facet name: returns the label of a value."""

FacetValues = tuple[tuple[str, ...], ...] | None


def current_epoch() -> int:
    """Return the number of the present period, for which values that change with time alone are kept."""
    return int(time.monotonic() / TIME_DEPENDENT_TTL_SECONDS)


class FacetCount(NamedTuple):
    """The key of one counter: a value of a facet, or `total` and `shown` for the summary."""

    facet: str
    value: str
    label: str


_TOTAL, _SHOWN = FacetCount("total", "", ""), FacetCount("shown", "", "")


class ControlsView(Generic[R]):
    """The state of the controls, and a count for each value of each facet as if that facet had nothing chosen.

    Counts of the held rows are kept up to date incrementally: a change costs what its row adds. Where more rows exist
    than are held, the counts are those of the database by groups. The summary has the numbers of rows that match and of
    all, None while they are not known; its `bound` says that there are `more` than these, or at `least` so many.

    Args:
        source: The rows.
        query: The choice that is shown.
        labels: Names the values of selects, by facet.
    """

    def __init__(
        self,
        source: CountedSource[R],
        query: ListQuery[R],
        labels: Labels | None = None,
    ) -> None:
        self.query = query
        self._labels = labels or {}
        self._source = source
        self._counted: dict[UUID, Counter[FacetCount]] = {}
        self._facet_values: dict[UUID, FacetValues] = {}
        self._counts: Counter[FacetCount] = Counter()
        self._sent: dict[str, dict[str, Any]] = {}

    def resume_from(self, other: Self) -> None:
        """Take over the counts of `other`, and what the element has been sent."""
        self._counted, self._facet_values = dict(other._counted), dict(other._facet_values)
        self._counts, self._sent = other._counts.copy(), dict(other._sent)

    def full(self) -> Batch | None:
        self._sent, self._counted, self._facet_values, self._counts = {}, {}, {}, Counter()
        state: dict[str, Any] = {
            "q": self.query.search,
            "sort": self.query.sort.name,
            "chosen": {facet.name: sorted(self.query.chosen.get(facet.name, ())) for facet in self.query.spec.facets},
            "period": self.query.period.params,
            "problem": self.query.period.problem,
            "query": f"&{urlencode(self.query.params)}" if self.query.params else "",
        }
        batch: Batch = {"set": {"state": state}}
        is_known = self._source.is_loaded or self._source.is_denied
        if is_known and (counted := self.patch([row.id for row in self._source.rows()])):
            batch["set"] |= counted["set"]
        return batch

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        spec = self.query.spec
        epoch = current_epoch() if spec.time_dependent else 0
        for id in dirty:
            row = self._source.get(id)
            values = self._source.derived(id, spec.facet_values, epoch=epoch) if row else None
            is_unchanged = values is not None and values == self._facet_values.get(id)
            if is_unchanged and not self.query.search and self.query.period.is_everything:
                continue
            self._facet_values[id] = values
            fresh = Counter(self._counters_of(row)) if row else Counter()
            known = self._counted.get(id, Counter())
            if fresh != known:
                self._counts.subtract(known)
                self._counts.update(fresh)
                self._counted[id] = fresh
        fields_now = _NOTHING if self._source.is_denied else self._fields()
        changed = {name: fields for name, fields in fields_now.items() if fields != self._sent.get(name)}
        self._sent |= changed
        return {"set": changed} if changed else None

    def _counters_of(self, row: R) -> Iterator[FacetCount]:
        """The counters that one row adds to."""
        if self.query.counts(row):
            yield _TOTAL
        if self.query.matches(row):
            yield _SHOWN
        for facet in self.query.spec.facets:
            for value in facet.values(row):
                if facet.kind == "select":
                    label_of = self._labels.get(facet.name, str)
                    yield FacetCount(facet.name, value, facet.label_of(row) if facet.label_of else label_of(value))
                elif self.query.matches(row, exclude_facet=facet.name):
                    yield FacetCount(facet.name, value, "")

    def _fields(self) -> dict[str, dict[str, Any]]:
        counts = self._known_counts()
        is_exact = not self._source.is_partial or self._source.is_exact
        by_value: dict[str, int | None] = {}
        options: dict[str, Any] = {}
        for facet in self.query.spec.facets:
            if facet.kind == "select":
                options[facet.name] = self._options(facet)
                continue
            for option in facet.options:
                count = counts[FacetCount(facet.name, option.value, "")] if counts is not None else None
                by_value[f"{facet.name}:{option.value}"] = count
        shown = counts[_SHOWN] if counts is not None else None
        bound = "" if is_exact else "more" if shown is not None and shown > MAX_COUNT else "least"
        summary = {"shown": None if shown is None else min(shown, MAX_COUNT) if bound else shown, "bound": bound}
        return {"counts": by_value, "options": options, "summary": summary | {"total": self._total()}}

    def _options(self, facet: Facet[R]) -> list[dict[str, str]]:
        """The values of a select that the rows which are here have, and those that are chosen."""
        labels = {value: value for value in self.query.chosen.get(facet.name, ())}
        labels |= {
            count.value: count.label for count, number in self._counts.items() if number and count.facet == facet.name
        }
        ordered = sorted(labels.items(), key=lambda item: folded(item[1]))
        return [{"value": value, "label": label} for value, label in ordered]

    def _known_counts(self) -> Counter[FacetCount] | None:
        """The counts of the chips and of what is shown; None while they are not known."""
        if not self._source.is_partial:
            return self._counts
        groups = self._source.groups
        return None if groups is None else self._counts_of(groups, self.query.chips)

    def _total(self) -> int | None:
        """The number of all rows, whatever is searched for; None while it is not known."""
        if not self._source.is_partial:
            return self._counts[_TOTAL]
        groups = self._source.all_groups
        return None if groups is None else sum(each.count for each in groups if self.query.counts(each.example))

    def _counts_of(self, groups: Sequence[RowGroup[R]], chips: ListQuery[R]) -> Counter[FacetCount]:
        counts: Counter[FacetCount] = Counter()
        for group in groups:
            if chips.matches(group.example):
                counts[_SHOWN] += group.count
            for facet in chips.spec.facets:
                if facet.kind == "chips" and chips.matches(group.example, exclude_facet=facet.name):
                    for value in facet.values(group.example):
                        counts[FacetCount(facet.name, value, "")] += group.count
        return counts
