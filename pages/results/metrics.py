"""Live charts of metrics: of what is on the screen, new points are read after every change of its run."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from components.elements.results.metric_charts import MetricCharts, Zoom
from components.views.visible_reloads import VisibleReloads
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.entities import Entity, R
from services.results.metrics import MAX_STEP, Metric, Series, metrics_of, read_series

READ_INTERVAL_SECONDS = 0.3
"""Time between two reads. Points are not broadcast: writing them is a heartbeat of the run, which windows receive."""
MAX_DRAWN = 4_000
"""Points of a chart, after which it is downsampled again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What the browser has of a metric of a run."""

    points: int
    replaced: int
    last_step: int
    count: int


def metric_charts(page: PageContext, entity: Entity[R], runs: Sequence[UUID]) -> MetricCharts:
    """Show the metrics of one run, or of several over each other; the section is invisible without any."""
    download = f"/export/metrics.csv?{ORG_PARAMETER}={page.membership.org_id}&run={runs[0]}" if len(runs) == 1 else ""
    element = MetricCharts(runs=len(runs), download=download)
    reader = _MetricReader(page, element, runs)
    element.on("live", reader.restart)
    element.on_want(reader.want)
    element.on_zoom(reader.zoom)
    subscriptions = [
        page.window.subscribe(entity, row_id=run, on_change=lambda _: reader.reads.mark_due()) for run in runs
    ]
    element.on_delete(*(each.close for each in subscriptions), reader.reads.close)
    return element


class _MetricReader:
    """Reads for one window what it shows of the metrics of runs."""

    def __init__(self, page: PageContext, element: MetricCharts, runs: Sequence[UUID]) -> None:
        self._page = page
        self._element = element
        self._runs = runs
        self._wanted: frozenset[str] = frozenset()
        self._zooms: dict[str, tuple[int, int]] = {}
        self._listed: dict[str, list[Metric | None]] = {}
        self._drawn: dict[tuple[str, int], _Drawn] = {}
        self._detailed: dict[tuple[str, int], tuple[tuple[int, int], int, int]] = {}
        self._has_failed = False
        self.reads = VisibleReloads(
            page.window,
            self._read,
            name="metrics of runs",
            on_failure=self._failed,
            interval=READ_INTERVAL_SECONDS,
        )

    def restart(self) -> None:
        """Read everything: the browser has mounted the element."""
        self._listed, self._drawn, self._detailed = {}, {}, {}
        self.reads.start()

    def want(self, names: frozenset[str]) -> None:
        """Read these metrics from now on."""
        has_more = bool(names - self._wanted)
        self._wanted = names
        if has_more:
            self.reads.request()

    def zoom(self, zoom: Zoom) -> None:
        """Read some steps of a metric, or all again."""
        if zoom.steps is None:
            self._zooms.pop(zoom.name, None)
        elif zoom.name in self._listed:
            self._zooms[zoom.name] = zoom.steps
        for run in range(len(self._runs)):
            self._detailed.pop((zoom.name, run), None)
        self.reads.request()

    async def _read(self) -> None:
        database, identity = self._page.services.database, self._page.session.identity
        found: dict[str, list[Metric | None]] = {}
        for place, run in enumerate(self._runs):
            for metric in await metrics_of(database, identity, run):
                found.setdefault(metric.name, [None] * len(self._runs))[place] = metric
        if found != self._listed:
            self._listed = dict(sorted(found.items()))
            self._element.list(self._listed)
        for name in sorted(self._wanted & found.keys()):
            for place, each in enumerate(found[name]):
                if each is not None:
                    await self._refresh(place, each)
        if self._has_failed:
            self._has_failed = False
            self._element.fail("")

    async def _refresh(self, place: int, metric: Metric) -> None:
        key = metric.name, place
        drawn = self._drawn.get(key)
        if drawn is None or (drawn.points, drawn.replaced) != (metric.points, metric.replaced):
            self._drawn[key] = await self._extended(place, metric, drawn) or await self._redrawn(place, metric)
        steps = self._zooms.get(metric.name)
        if steps is None:
            return
        state = steps, metric.points, metric.replaced
        if self._detailed.get(key) != state:
            self._element.detail(metric.name, place, await self._series(place, metric.name, *steps), steps)
            # After it, since a read that fails is tried again.
            self._detailed[key] = state

    async def _extended(self, place: int, metric: Metric, drawn: _Drawn | None) -> _Drawn | None:
        """Add the points that came at later steps; None if there are others, or too many."""
        if drawn is None or drawn.replaced != metric.replaced or drawn.last_step >= metric.last_step:
            return None
        series = await self._series(place, metric.name, drawn.last_step + 1, MAX_STEP)
        count = len(series.points)
        # Fewer than there are new: the others came at earlier steps.
        if not series.is_exact or drawn.points + count < metric.points or drawn.count + count > MAX_DRAWN:
            return None
        self._element.extend(metric.name, place, series)
        return _Drawn(
            points=drawn.points + count,
            replaced=drawn.replaced,
            last_step=series.points[-1][0],
            count=drawn.count + count,
        )

    async def _redrawn(self, place: int, metric: Metric) -> _Drawn:
        series = await self._series(place, metric.name, 0, metric.last_step)
        self._element.draw(metric.name, place, series)
        return _Drawn(
            points=metric.points, replaced=metric.replaced, last_step=metric.last_step, count=len(series.points)
        )

    async def _series(self, place: int, name: str, first: int, last: int) -> Series:
        database, identity = self._page.services.database, self._page.session.identity
        return await read_series(database, identity, self._runs[place], name, first=first, last=last)

    def _failed(self, error: Exception) -> None:
        self._has_failed = True
        self._element.fail(f"The metrics could not be read: {error}")
