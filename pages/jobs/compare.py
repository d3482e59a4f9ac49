"""/compare?runs=ID,ID: streams side by side, with their logs."""

from uuid import UUID

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from components.elements.jobs.comparison import Comparison
from components.presentation.text import text
from components.shell.feedback import not_found_panel
from components.shell.shell import page_head, section
from pages.lists.job_reader import JobReader
from pages.lists.run_log import run_log
from pages.page.context import PageContext
from pages.results.metrics import metric_charts
from services.entities import STREAMS
from services.history.comparison import MAX_COMPARED, ComparedRun, compared_runs
from services.text import uuid_of, visible_name

PARAMETER = "runs"


def compare_page(page: PageContext) -> None:
    """Build the page of up to six runs; others in the address are left out, and the page says so."""
    given = [each for each in page.url.params.get(PARAMETER, "").split(",") if each.strip()]
    ids = list(dict.fromkeys(id for each in given[:100] if (id := uuid_of(each.strip())) is not None))
    page_head("Compare runs")
    if not ids:
        not_found_panel("Nothing to compare", "Choose two or more runs on the page of a job.")
        return
    if len(ids) > MAX_COMPARED or len(ids) < len(given):
        ui.label(
            f"{len(ids[:MAX_COMPARED])} of the {len(given)} runs in the address are compared: at most "
            f"{MAX_COMPARED}, each once, by its id."
        ).classes("lw-muted")
    ids = ids[:MAX_COMPARED]
    with ui.element("div").classes("lw-panel"):
        comparison = Comparison()

    async def read() -> None:
        runs = await compared_runs(page.services.database, page.session.identity, ids)
        comparison.show(runs)
        names = {each.run.id: _name(each) for each in runs}
        metrics.name_runs([names.get(id, "Deleted run") for id in ids])
        for each in runs:
            headings[each.run.id].text = visible_name(names[each.run.id])

    JobReader(
        page, comparison, read=read, fail=comparison.fail, kinds=("streams",), matters=lambda delta: delta.id in ids
    )
    metrics = metric_charts(page, STREAMS, ids)
    headings: dict[UUID, TextElement] = {}
    with section("Logs"), ui.element("div").classes("lw-columns lw-columns--wide"):
        for id in ids:
            with ui.element("div"):
                headings[id] = text("h3", "").props("dir=auto")
                run_log(page, STREAMS, id)


def _name(compared: ComparedRun) -> str:
    return f"Run {compared.run.number}" if compared.run.number else compared.name
