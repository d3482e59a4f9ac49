"""Panel next to a list, with the details of the row that the URL selects."""

from collections.abc import Mapping
from uuid import UUID

from nicegui import ui

from components.elements.lists.details import Details
from components.elements.lists.live_list import LiveList
from components.shell.shell import section
from pages.lists.actions.tidying import tidy_menu
from pages.lists.entity_list import related_list
from pages.lists.job_reader import usual_bar
from pages.lists.run_environment import run_environment_section
from pages.lists.run_log import LINE_PARAMETER, run_log
from pages.page.context import PageContext
from pages.results.artefacts import artefact_list
from pages.results.metrics import metric_charts
from services.entities import ACTIVITIES, Subject
from services.history.tidying import is_run
from services.text import uuid_of

SELECTED_PARAMETER = "selected"


class DetailPanel:
    """Shows the row in the URL's parameter `selected`, and writes the selection in `rows` to the URL."""

    def __init__(self, page: PageContext, rows: LiveList) -> None:
        self._page = page
        self._rows = rows
        self._entity = rows.entity
        self._selected: str | None = None
        rows.on_select(self.select)
        self._panel = ui.element("aside").classes("lw-aside")
        self._panel.props["aria-label"] = f"Details of the {self._entity.noun}"
        self.follow(page.url.params)

    def select(self, id: str | None) -> None:
        """Select a row, or none; the id comes from the browser and is not trusted."""
        chosen = {SELECTED_PARAMETER: id[:60]} if id else {}
        self._page.url.set(chosen, known=(SELECTED_PARAMETER, LINE_PARAMETER), is_new=True)
        self.follow(chosen)

    def follow(self, params: Mapping[str, str]) -> None:
        """Show the row that the URL selects."""
        selected = params.get(SELECTED_PARAMETER)
        if selected == self._selected:
            return
        self._selected = selected
        self._rows.set_selected(selected)
        self._panel.clear()
        if selected is not None:
            with self._panel:
                self._build(uuid_of(selected))

    def _build(self, id: UUID | None) -> None:
        gone = "It was deleted, or belongs to another organisation."
        element = Details(self._entity, gone_text=gone)
        element.on_close(lambda: self.select(None))
        element.bind_row(self._page.window, id)
        if id is not None and is_run(self._entity):
            with ui.element("div").classes("lw-row"):
                tidy_menu(self._page, self._entity, lambda: [id], on_gone=lambda: self.select(None))
            usual_bar(self._page, self._entity, id)
            run_environment_section(self._page, id)
            metric_charts(self._page, self._entity, [id])
            artefact_list(self._page, self._entity, id)
            run_log(self._page, self._entity, id)
        if id is not None and self._entity.table in set(Subject):
            with section("History"):
                related_list(self._page, ACTIVITIES, "subject_id", id, empty_text="No history yet")
