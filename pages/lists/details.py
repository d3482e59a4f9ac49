"""The panel beside a list: one row in full, chosen by the address."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic
from uuid import UUID

from nicegui import ui

from components.elements.bindings import live_row
from components.elements.lists.details import Details, present_agent_details, present_scan_details
from components.elements.lists.live_list import LiveList
from components.presentation.rows import Fields
from components.shell.shell import section
from pages.lists.run_log import run_log
from pages.page.context import PageContext, activity_list
from services.entities import AgentStatus, ScanStatus
from services.entities.entity import AGENTS, SCANS, Entity, R

PARAMETER = "selected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Detailed(Generic[R]):
    """What the panel needs to know of a kind of row."""

    entity: Entity[R]
    statuses: type[StrEnum]
    present: Callable[[R], Fields]
    noun: str


AGENT_DETAILS = Detailed(entity=AGENTS, statuses=AgentStatus, present=present_agent_details, noun="run")
SCAN_DETAILS = Detailed(entity=SCANS, statuses=ScanStatus, present=present_scan_details, noun="scan")


class DetailPanel(Generic[R]):
    """Shows what `selected` in the address names, and says there what a person selects in `rows`."""

    def __init__(self, page: PageContext, detailed: Detailed[R], rows: LiveList) -> None:
        self._visit = page
        self._rows = rows
        rows.on_select(self.select)
        self._of = detailed
        self._shown: str | None = None
        self._panel = ui.element("aside").classes("lw-aside")
        self._panel.props["aria-label"] = f"Details of the {detailed.noun}"
        self.follow(page.address.params)

    def select(self, id: str | None) -> None:
        """Show a row, or none; the id comes from the browser."""
        chosen = {PARAMETER: id[:60]} if id else {}
        self._visit.address.set(chosen, known=(PARAMETER,), is_new=True)
        self.follow(chosen)

    def follow(self, params: Mapping[str, str]) -> None:
        """Show what the address names now."""
        selected = params.get(PARAMETER)
        if selected == self._shown:
            return
        self._shown = selected
        self._rows.set_selected(selected)
        self._panel.clear()
        if selected is not None:
            with self._panel:
                self._build(_uuid(selected))

    def _build(self, id: UUID | None) -> None:
        entity = self._of.entity
        gone = f"It was deleted, is another organisation's, or is older than the latest {entity.limit} kept here."
        element = Details(entity.table, self._of.statuses, noun=self._of.noun, gone_text=gone)
        element.on_close(lambda: self.select(None))
        live_row(self._visit.window, element, entity, id, present=self._of.present)
        if id is not None:
            run_log(self._visit, entity, id)
        with section("History"):
            activity_list(self._visit, where=lambda activity: activity.subject_id == id, empty_text="Nothing is noted.")


def _uuid(text: Any) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
