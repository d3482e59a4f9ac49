"""What the controls above a list show, as one window sees them: the query, and the counts behind the chips."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Generic, NamedTuple, Self
from urllib.parse import urlencode
from uuid import UUID

from components.views.list_query import ListQuery
from components.views.shared import Source
from components.window.batch import Batch
from services.entities.entity import R

TIME_DEPENDENT_TTL_SECONDS = 5.0
"""Seconds after which time alone may have changed what a row counts for."""

Labels = Mapping[str, Callable[[str], str]]
"""By the name of a facet: what calls its values by a name."""
FacetValues = tuple[tuple[str, ...], ...] | None


class FacetCount(NamedTuple):
    """One thing that rows are counted by: a value of a facet, or being there or shown at all."""

    of: str
    value: str
    label: str


class ControlsView(Generic[R]):
    """The state of the controls and the counts behind the chips: each facet's as if it alone had nothing chosen.

    Counts are kept, and a change of a row costs what that row adds to them.
    """

    def __init__(
        self,
        subscription: Source[R],
        query: ListQuery[R],
        where: Callable[[R], bool] | None,
        labels: Labels | None = None,
    ) -> None:
        self.query = query
        self._labels = labels or {}
        self._subscription = subscription
        self._where = where
        self._added: dict[UUID, Counter[FacetCount]] = {}
        self._facts: dict[UUID, FacetValues] = {}
        self._counts: Counter[FacetCount] = Counter()
        self._sent: dict[str, dict[str, Any]] = {}

    def resume_from(self, other: Self) -> None:
        """Go on from where the other is."""
        self._added, self._facts = dict(other._added), dict(other._facts)
        self._counts, self._sent = other._counts.copy(), dict(other._sent)

    def full(self) -> Batch | None:
        self._sent, self._added, self._facts, self._counts = {}, {}, {}, Counter()
        state: dict[str, Any] = {
            "q": self.query.search,
            "sort": self.query.sort.name,
            "chosen": {facet.name: sorted(self.query.chosen.get(facet.name, ())) for facet in self.query.spec.facets},
            "query": f"&{urlencode(self.query.params)}" if self.query.params else "",
        }
        batch: Batch = {"set": {"state": state}}
        if self._subscription.is_loaded and (counted := self.patch([row.id for row in self._subscription.rows()])):
            batch["set"] |= counted["set"]
        return batch

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        spec, epoch = (
            self.query.spec,
            int(time.monotonic() / TIME_DEPENDENT_TTL_SECONDS) if self.query.spec.time_dependent else 0,
        )
        for id in dirty:
            row = self._subscription.get(id)
            facet_values = self._subscription.derived(id, spec.facet_values, epoch=epoch) if row else None
            if (
                facet_values is not None
                and facet_values == self._facts.get(id)
                and not self.query.search
                and self._where is None
            ):
                continue
            self._facts[id] = facet_values
            fresh = Counter(self._counted(row)) if row and (self._where is None or self._where(row)) else Counter()
            known = self._added.get(id, Counter())
            if fresh != known:
                self._counts.subtract(known)
                self._counts.update(fresh)
                self._added[id] = fresh
        changed = {name: fields for name, fields in self._shown().items() if fields != self._sent.get(name)}
        self._sent |= changed
        return {"set": changed} if changed else None

    def _counted(self, row: R) -> Iterator[FacetCount]:
        """What one row counts for."""
        yield FacetCount("total", "", "")
        if self.query.matches(row):
            yield FacetCount("shown", "", "")
        for facet in self.query.spec.facets:
            for value in facet.values(row):
                if facet.kind == "select":
                    label_of = self._labels.get(facet.name, str)
                    yield FacetCount(facet.name, value, facet.label_of(row) if facet.label_of else label_of(value))
                elif self.query.matches(row, exclude_facet=facet.name):
                    yield FacetCount(facet.name, value, "")

    def _shown(self) -> dict[str, dict[str, Any]]:
        counts = {f"{count.of}:{count.value}": number for count, number in self._counts.items() if count.value}
        options: dict[str, Any] = {}
        for facet in self.query.spec.facets:
            if facet.kind == "select":
                labels = {value: value for value in self.query.chosen.get(facet.name, ())}
                labels |= {
                    count.value: count.label for count, number in self._counts.items()
                    if number and count.of == facet.name
                }  # fmt: skip
                ordered = sorted(labels.items(), key=lambda item: item[1].casefold())
                options[facet.name] = [{"value": value, "label": label} for value, label in ordered]
            else:
                counts = {f"{facet.name}:{option.value}": 0 for option in facet.options} | counts
        summary = {name: self._counts[FacetCount(name, "", "")] for name in ("shown", "total")}
        return {"counts": counts, "options": options, "summary": summary}
