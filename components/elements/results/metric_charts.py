"""Charts of metrics of one run, or of several runs over each other; drawn by ECharts, with a table behind each."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nicegui.events import GenericEventArguments

from components.elements.charts.drawing import DRAWING_JS
from components.window.live_element import LiveElement
from services.results.metrics import MAX_STEP, Metric, Series, spelled
from services.text import visible_name

MAX_WANTED = 24
"""Charts of a window that are read; a screen shows fewer."""


@dataclass(frozen=True, slots=True)
class Zoom:
    """The steps that a person wants to see of a metric; None for all."""

    name: str
    steps: tuple[int, int] | None


class MetricCharts(
    LiveElement,
    component="metric_charts.js",
    dependencies=[DRAWING_JS, "metric_chart.js", "metric_options.js"],
):
    """A chart for each metric, which is read once it is on the screen.

    Emits `live` once it is mounted. Values from the browser are untrusted input.

    Args:
        runs: Number of runs that are drawn over each other.
        download: Path of the CSV file of a single run.
    """

    def __init__(self, *, runs: int = 1, download: str = "") -> None:
        super().__init__()
        self.props["runs"] = runs
        self.props["download"] = download

    def name_runs(self, names: Sequence[str]) -> None:
        """Show the names of the runs, in their order."""
        self.run_method("nameRuns", [visible_name(name) for name in names])

    def list(self, metrics: Mapping[str, Sequence[Metric | None]]) -> None:
        """Show these metrics by name, with what each run has of them."""
        self.run_method(
            "list",
            [
                [name, visible_name(name), [None if each is None else _fields(each) for each in of_runs]]
                for name, of_runs in metrics.items()
            ],
        )

    def draw(self, name: str, run: int, series: Series) -> None:
        """Draw a metric of the run at a position, in place of what was drawn."""
        self.run_method("draw", name, run, _points(series), series.is_exact)

    def extend(self, name: str, run: int, series: Series) -> None:
        """Add later points to those that are drawn."""
        self.run_method("extend", name, run, _points(series))

    def detail(self, name: str, run: int, series: Series | None, steps: tuple[int, int] | None) -> None:
        """Draw a part of a metric; None ends that."""
        points = None if series is None else _points(series)
        self.run_method("detail", name, run, points, series is None or series.is_exact, steps)

    def fail(self, problem: str) -> None:
        """Say why metrics could not be read; an empty text says that they were."""
        self.run_method("fail", problem)

    def on_want(self, handler: Callable[[frozenset[str]], object]) -> None:
        """Call `handler` with the names of the metrics that are on the screen, at most `MAX_WANTED`."""

        def wanted(event: GenericEventArguments) -> None:
            names = event.args if isinstance(event.args, list) else []
            handler(frozenset(name for name in names[:MAX_WANTED] if isinstance(name, str)))

        self.on("want", wanted)

    def on_zoom(self, handler: Callable[[Zoom], object]) -> None:
        """Call `handler` with the steps of a metric that a person has chosen."""

        def zoomed(event: GenericEventArguments) -> None:
            given: Mapping[str, Any] = event.args if isinstance(event.args, Mapping) else {}
            first, last = _step(given.get("first")), _step(given.get("last"))
            if isinstance(name := given.get("name"), str):
                handler(Zoom(name, (first, last) if first is not None and last is not None else None))

        self.on("zoom", zoomed)


def _fields(metric: Metric) -> dict[str, Any]:
    return {
        "points": metric.points,
        "first": metric.first_step,
        "last": metric.last_step,
        "value": spelled(metric.last_value),
        "minimum": metric.minimum,
        "maximum": metric.maximum,
    }


def _points(series: Series) -> list[list[float | str]]:
    return [[step, spelled(value)] for step, value in series.points]


def _step(value: object) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value <= MAX_STEP else None  # type: ignore[call-overload, operator]
