"""Search, filter chips with live counts, selects, sort and export above a list."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.views.list_query import ListQuery, ListSpec
from components.window.scripts import SHARED_JS


class ListControls(Element, component="list_controls.js", dependencies=[SHARED_JS]):
    """What a person chooses arrives by `on_query`; what stands there comes in batches of a `ControlsView`."""

    def __init__(self, spec: ListSpec[Any], *, noun: str, export_path: str | None = None) -> None:
        """`noun` is what the rows are called, many of them; the query's parameters are added to those of
        `export_path`."""
        super().__init__()
        self._spec = spec
        self.props["noun"] = noun
        self.props["export-path"] = export_path
        self.props["sorts"] = [{"value": sort.name, "label": sort.label} for sort in spec.sorts]
        self.props["facets"] = [
            {
                "name": facet.name,
                "label": facet.label,
                "kind": facet.kind,
                "options": [asdict(option) for option in facet.options],
            }
            for facet in spec.facets
        ]
        self.props["state"] = {"sort": spec.sorts[0].name}

    def on_query(self, handler: Callable[[ListQuery[Any]], object]) -> None:
        """Call `handler` with what a person chose; it comes from the browser and is read as an address would be."""

        def changed(event: GenericEventArguments) -> None:
            choice = event.args if isinstance(event.args, Mapping) else {}
            chosen = choice.get("chosen")
            params: dict[str, Any] = {"q": choice.get("q"), "sort": choice.get("sort")}
            for name, values in (chosen if isinstance(chosen, Mapping) else {}).items():
                if isinstance(values, list):
                    params[str(name)] = ",".join(str(value) for value in values)
            handler(ListQuery.parse(self._spec, params))

        self.on("change", changed)
