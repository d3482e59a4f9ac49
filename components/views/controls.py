"""The controls above a list, as one window sees them: the query, and the counts behind the chips."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, NamedTuple, Self
from urllib.parse import urlencode
from uuid import UUID

from components.views.shared import RowSource
from components.window.batch import Batch
from services.entities import R
from services.lists.query import ListQuery
from services.text import folded

TIME_DEPENDENT_TTL_SECONDS = 5.0
"""Age after which facet values that change with time alone are computed again."""

_NOTHING: dict[str, dict[str, Any]] = {"counts": {}, "summary": {"shown": None, "total": None, "cut": None}}
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


class ControlsView(Generic[R]):
    """The state of the controls, and a count for each value of each facet as if that facet had nothing chosen.

    Counts of the held rows are kept up to date incrementally: a change costs what its row adds. Where more rows exist
    than are held, the counts are those of all rows by groups. A search and a chosen select look through the held rows
    only, and so do their counts; the summary says so (`cut`).

    Args:
        source: The rows.
        query: The choice that is shown.
        where: Leaves rows out of the list altogether.
        labels: Names the values of selects, by facet.
    """

    def __init__(
        self,
        source: RowSource[R],
        query: ListQuery[R],
        where: Callable[[R], bool] | None,
        labels: Labels | None = None,
    ) -> None:
        self.query = query
        self._labels = labels or {}
        self._source = source
        self._where = where
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
            if is_unchanged and not self.query.search and self._where is None:
                continue
            self._facet_values[id] = values
            fresh = Counter(self._counters_of(row)) if row and (self._where is None or self._where(row)) else Counter()
            known = self._counted.get(id, Counter())
            if fresh != known:
                self._counts.subtract(known)
                self._counts.update(fresh)
                self._counted[id] = fresh
        fields_now = _NOTHING if self._source.is_denied else self._fields()
        changed = {name: fields for name, fields in fields_now.items() if fields != self._sent.get(name)}
        self._sent |= changed
        return {"set": changed} if changed else None

    def _counters_of(self, row: R, *, has_selects: bool = True) -> Iterator[FacetCount]:
        """The counters that one row adds to; without those of selects, whose values an example does not have."""
        if self.query.counts(row):
            yield FacetCount("total", "", "")
        if self.query.matches(row):
            yield FacetCount("shown", "", "")
        for facet in self.query.spec.facets:
            for value in facet.values(row):
                if facet.kind == "select":
                    if not has_selects:
                        continue
                    label_of = self._labels.get(facet.name, str)
                    yield FacetCount(facet.name, value, facet.label_of(row) if facet.label_of else label_of(value))
                elif self.query.matches(row, exclude_facet=facet.name):
                    yield FacetCount(facet.name, value, "")

    def _fields(self) -> dict[str, dict[str, Any]]:
        known, cut = self._known_counts()
        counts = {f"{count.facet}:{count.value}": number for count, number in known.items() if count.value}
        options: dict[str, Any] = {}
        for facet in self.query.spec.facets:
            if facet.kind == "select":
                labels = {value: value for value in self.query.chosen.get(facet.name, ())}
                labels |= {
                    count.value: count.label
                    for count, number in self._counts.items()
                    if number and count.facet == facet.name
                }
                ordered = sorted(labels.items(), key=lambda item: folded(item[1]))
                options[facet.name] = [{"value": value, "label": label} for value, label in ordered]
            else:
                counts = {f"{facet.name}:{option.value}": 0 for option in facet.options} | counts
        summary: dict[str, Any] = {name: known[FacetCount(name, "", "")] for name in ("shown", "total")}
        return {"counts": counts, "options": options, "summary": summary | {"cut": cut}}

    def _known_counts(self) -> tuple[Counter[FacetCount], dict[str, Any] | None]:
        """The counts of all rows as far as they are known, and what is left out of the list; None if nothing is.

        `held` of `of` rows are in the list, where `of` is None if it is not known; `searched` says that the counts are
        those of the held rows, since only these are looked through.
        """
        if not self._source.is_cut:
            return self._counts, None
        groups = self._source.groups
        everything: Counter[FacetCount] = Counter()
        for group in groups or ():
            for count in self._counters_of(group.example, has_selects=False):
                everything[count] += group.count
        is_searched = bool(self.query.search.strip() or self.query.has_selects or self._where)
        name = "total" if is_searched else "shown"
        key = FacetCount(name, "", "")
        of = (
            None
            if groups is None
            else sum(
                group.count
                for group in groups
                if (self.query.counts if is_searched else self.query.matches)(group.example)
            )
        )
        cut = {"held": self._counts[key], "of": of, "searched": is_searched}
        return self._counts if is_searched or groups is None else everything, cut
