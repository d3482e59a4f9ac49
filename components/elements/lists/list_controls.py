"""Controls above a list: search, filter chips with live counts, selects, sorting and export."""

from collections.abc import Callable, Iterable, Mapping
from html import escape
from typing import Any

from nicegui.events import GenericEventArguments

from components.presentation.compact_elements import SharedDict
from components.presentation.time import epoch_ms
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from services.entities.base.listing import ListSpec, Option
from services.lists.counting import Histogram
from services.lists.query import ListQuery
from services.period import PARAMETERS, PERIODS


class ListControls(LiveElement, component="list_controls.js", dependencies=["period_picker.js"]):
    """Controls that show the batches of a `ControlsView` and emit the user's query to `on_query`.

    Args:
        spec: Search, facets and sorts.
        noun: Noun for the rows, in the plural.
        export_path: Path of the CSV export, to which the query's parameters are added; None for no export.
        offers_mark_all: Whether the rows are messages, which a button marks as read.
    """

    def __init__(
        self, spec: ListSpec[Any], *, noun: str, export_path: str | None = None, offers_mark_all: bool = False
    ) -> None:
        super().__init__()
        self._spec = spec
        self.props["noun"] = noun
        self.props["export-path"] = export_path
        self.props["offers-mark-all"] = offers_mark_all
        self.props["sorts"] = tuple({"value": sort.name, "label": sort.label} for sort in spec.sorts)
        self.props["facets"] = tuple(
            {"name": facet.name, "label": facet.label, "kind": facet.kind, "options": facet.options}
            for facet in spec.facets
        )
        self.props["periods"] = SharedDict(PERIODS)
        self.props["state"] = SharedDict(sort=spec.sorts[0].name)
        self.tools = self.add_slot("tools")
        """Slot for further elements at the end of the controls."""

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`; the controls take no input yet."""
        noun = escape(str(self.props["noun"]))
        groups = "".join(
            f'<div class="lw-filters">{"".join(map(_chip, facet.options))}</div>'
            for facet in self._spec.facets
            if facet.kind == "chips"
        )
        selects = "".join(
            f'<select class="lw-select" disabled><option>{escape(facet.label)}: all</option></select>'
            for facet in self._spec.facets
            if facet.kind == "select"
        )
        sort = f'<select class="lw-select" disabled><option>{escape(self._spec.sorts[0].label)}</option></select>'
        clock = '<i class="lw-icon notranslate">schedule</i>'
        period = f'<button type="button" class="lw-button lw-period__button" disabled>{clock}All time</button>'
        tune = '<i class="lw-icon notranslate">tune</i>'
        filters = f'<button type="button" class="lw-button lw-controls__filters" disabled>{tune}Filters</button>'
        return (
            f'<div class="lw-controls" aria-hidden="true"><div class="lw-controls__search">'
            f'<i class="lw-icon notranslate">search</i><input type="search" placeholder="Search {noun}" disabled></div>'
            f'<div class="lw-period">{period}</div>'
            f'{filters if self._spec.facets else ""}<span class="lw-controls__end">'
            f"{sort if len(self._spec.sorts) > 1 else ''}</span>"
            f'<div class="lw-controls__sheet">{selects}{groups}</div></div>'
        )

    def on_query(self, handler: Callable[[ListQuery[Any]], object]) -> None:
        """Call `handler` with the user's query, which is parsed like untrusted URL parameters."""

        def changed(event: GenericEventArguments) -> None:
            choice = event.args if isinstance(event.args, Mapping) else {}
            chosen = choice.get("chosen")
            params: dict[str, Any] = {name: choice.get(name) for name in ("q", "sort", *PARAMETERS)}
            for name, values in (chosen if isinstance(chosen, Mapping) else {}).items():
                if isinstance(values, list):
                    params[str(name)] = ",".join(str(value) for value in values)
            handler(ListQuery.parse(self._spec, params))

        self.on("change", changed)

    def on_options(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the name of a select that somebody looks at, whose values `show_options` then adds."""
        self.on("options", lambda event: handler(str(event.args)))

    def show_options(self, facet: str, options: Iterable[tuple[str, str]]) -> None:
        """Offer values of a select with their labels, besides those of the rows that are here."""
        self.run_method("showOptions", facet, [{"value": value, "label": label} for value, label in options])

    def on_histogram(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user looks at the distribution in time, which `show_histogram` then shows."""
        self.on("histogram", lambda _: handler())

    def show_histogram(self, histogram: Histogram | None, *, error: str = "") -> None:
        """Show a histogram, that there is nothing to show for None, or why there is none."""
        shown: dict[str, Any] = {"error": error}
        if histogram:
            shown |= {"counts": histogram.counts, "critical": histogram.critical}
            shown |= {"start": epoch_ms(histogram.start), "end": epoch_ms(histogram.end)}
        self.run_method("showHistogram", shown)

    def on_mark_all(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user marks the messages that match the query as read."""
        self.on("markAll", handler)


def _chip(option: Option) -> str:
    icon = f'<i class="lw-icon notranslate">{escape(option.icon)}</i>' if option.icon else ""
    count = '<span class="lw-number lw-filter__count"></span>'
    tone = f' data-tone="{escape(option.tone)}"' if option.tone else ""
    return f'<button type="button" class="lw-filter" disabled{tone}>{icon}{escape(option.label)} {count}</button>'
