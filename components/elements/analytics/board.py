"""Board of charts, which a person arranges; drawn by ECharts, with a table behind each chart."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from nicegui.events import GenericEventArguments

from components.elements.charts.drawing import DRAWING_JS
from components.elements.viewers import PEOPLE_LIST_JS, VIEWERS_JS
from components.presentation.compact_elements import SharedDict
from components.presentation.time import epoch_ms
from components.window.live_element import LiveElement
from services.analytics.board import CHARTS, SIZES, Shown
from services.analytics.figures import Figure

CATALOG = {
    chart.name: {"label": chart.label, "note": chart.note, "size": chart.size, "hint": chart.hint}
    for chart in CHARTS.values()
}


class AnalyticsBoard(
    LiveElement,
    component="board.js",
    dependencies=[
        *(DRAWING_JS, VIEWERS_JS, PEOPLE_LIST_JS),
        *("board_chart.js", "chart_options.js", "chart_table.js"),
    ],
):
    """Charts in a grid, with placeholders until the first `show`.

    Emits `live` with the reader's zone once it is mounted. Values from the browser are untrusted input.

    Args:
        export_path: Path of the CSV export, to which the name of a chart is added.
    """

    def __init__(self, *, export_path: str) -> None:
        super().__init__()
        self.props["catalog"] = SharedDict(CATALOG)
        self.props["sizes"] = SharedDict(**SIZES)
        self.props["export-path"] = export_path

    def arrange(self, charts: Sequence[Shown], *, export: str) -> None:
        """Show these charts in this order; `export` are the parameters of the board for the export."""
        self.run_method("arrange", [{"name": chart.name, "size": chart.size} for chart in charts], export)

    def show(self, figures: Sequence[Figure], *, zone: str, end: datetime | None) -> None:
        """Show what the charts hold, in a zone and up to an end."""
        self.run_method("show", [figure_fields(figure) for figure in figures], zone, epoch_ms(end))

    def fail(self, problem: str) -> None:
        """Say why the charts could not be read, or what is wrong with what was asked; an empty text takes it back."""
        self.run_method("fail", problem)

    def edit(self) -> None:
        """Let the user arrange the charts, or end that."""
        self.run_method("edit")

    def enlarge(self) -> None:
        """Show the charts alone, on the whole screen, or end that."""
        self.run_method("enlarge")

    def on_zone(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the name of the reader's zone once the browser has mounted the element."""
        self.on("live", lambda event: handler(str(event.args)))

    def on_arrange(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the charts that the user wants, as the parameter `charts` of a board has them."""
        self.on("arrange", lambda event: handler(str(event.args)))

    def on_open(self, handler: Callable[[str, str, int], object]) -> None:
        """Call `handler` with the name of a chart, the key of a series and the number of a label that was clicked."""

        def opened(event: GenericEventArguments) -> None:
            given: Mapping[str, Any] = event.args if isinstance(event.args, Mapping) else {}
            place = given.get("place")
            if isinstance(place, int):
                handler(str(given.get("chart")), str(given.get("series")), place)

        self.on("open", opened)


def figure_fields(figure: Figure) -> dict[str, Any]:
    """Return a figure as the browser draws it."""
    return {
        "name": figure.name,
        "form": figure.form,
        "unit": figure.unit,
        "labels": [epoch_ms(label) if isinstance(label, datetime) else label for label in figure.labels],
        "links": figure.links,
        "series": [
            {"key": each.key, "label": each.label, "tone": each.tone, "values": each.values} for each in figure.series
        ],
    }
