"""/streams/{id}: a stream, its history, and its scans and agents."""

from uuid import UUID

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from components.elements.charts.progress_chart import ProgressChart
from components.elements.charts.run_timeline import RunTimeline
from components.elements.lists.details import Details
from components.elements.lists.live_list import LiveList
from components.elements.viewers.looking_at import LookingAt
from components.presentation.text import text
from components.shell.feedback import not_found_panel, tell_error
from components.shell.shell import page_head, section
from components.views.history import HistoryView
from components.views.lists.rows import MAX_ROWS
from components.window.hooks import Hook, use_stream_progress
from pages.chat.thread_panel import ThreadPanel
from pages.editing.notes import NotesPanel
from pages.editing.plan import EditsPanel, PlanPanel
from pages.lists.actions.tidying import tidy_menu
from pages.lists.entity_list import related_list, stored_rows
from pages.lists.job_reader import usual_bar
from pages.lists.run_environment import run_environment_section
from pages.lists.run_log import run_log
from pages.page.context import PageContext
from pages.results.artefacts import artefact_list
from pages.results.metrics import metric_charts
from services.chat.messages import Subject
from services.entities import ACTIVITIES, AGENTS, SCANS, STREAMS, AgentExecution, Stream, Topical
from services.errors import LivewatchError
from services.history.progress_history import progress_history
from services.infra.tasks.coalescer import Reloads
from services.reading import find_stream
from services.text import uuid_of, visible_name

NOT_LOADED = "It is still being looked for, or it is a row that cannot be read; the System tab lists those."


def stream_page(page: PageContext, id: str) -> None:
    """Build the page of a stream, or a not-found panel for an id that is invalid or not visible to the user."""
    stream_id = uuid_of(id)
    if stream_id is None:
        not_found_panel("There is no such stream", f"“{id}” is not the id of a stream.")
        return
    with ui.element("div") as missing:
        not_found_panel("There is no such stream", "It was deleted, or it belongs to another organisation.")
    with ui.element("div") as unknown:
        not_found_panel("This stream is not shown", NOT_LOADED)
    with ui.element("div").classes("lw-page") as found:
        heading = text("h1", "").classes("lw-ghost__line").props("dir=auto")
        _sections(page, stream_id, heading)
    # Apart from the rest: what somebody typed is still there to be copied when the stream was deleted.
    with ui.element("div").classes("lw-page"), section("Notes"), ui.element("div").classes("lw-panel lw-notes-panel"):
        notes = NotesPanel(page, stream_id)
    with ui.element("div").classes("lw-page") as records:
        _records(page, stream_id)
    missing.set_visibility(False)
    unknown.set_visibility(False)

    def show(stream: Hook[Stream]) -> None:
        exists = not stream.is_loaded or bool(stream.data)
        found.set_visibility(exists)
        records.set_visibility(exists)
        if not exists and stream.is_complete:
            notes.end()
        missing.set_visibility(not exists and stream.is_complete)
        unknown.set_visibility(not exists and not stream.is_complete)
        for row in stream.data:
            name = visible_name(row.name)
            if name != heading.text:
                heading.text = name
                heading.classes(remove="lw-ghost__line")
                page.title.set(name)

    use_stream_progress(page.window, stream_id, on_change=show)


def stream_by_slug_page(page: PageContext, slug: str) -> None:
    """Lead to the page of the stream that programs report under a slug, as soon as there is one.

    The slug of a job leads to its newest run, and that with a number, as `nightly@7`, to the run of the number.
    """
    with ui.element("div") as missing:
        not_found_panel("Nothing was reported yet", f"No program has reported a stream under the slug “{slug}”.")
    missing.set_visibility(False)

    async def lead() -> None:
        found = await find_stream(page.services.database, page.session.identity, page.membership.org_id, slug)
        if found is not None:
            page.window.client.open(f"/streams/{found}")
        missing.set_visibility(found is None)

    reloads = Reloads(lead, name=f"stream {slug}", on_failure=lambda error: tell_error(str(error)))

    def follow(streams: Hook[Stream]) -> None:
        if not missing.visible or any((stream.slug or "").partition("@")[0] == job for stream in streams.data):
            reloads.request()

    job = slug.partition("@")[0]
    Hook(page.window, STREAMS, where=lambda stream: (stream.slug or "").startswith(job), on_change=follow)
    page.window.on_delete(reloads.close)


def _sections(page: PageContext, stream_id: UUID, heading: TextElement) -> None:
    with page_head(heading):
        ui.link("All streams", "/monitoring").classes("lw-button lw-button--link")
        tidy_menu(page, STREAMS, lambda: [stream_id], on_gone=lambda: ui.navigate.to("/monitoring"))
    LookingAt(stream_id)
    usual_bar(page, STREAMS, stream_id)
    with ui.element("div").classes("lw-columns lw-columns--wide"):
        LiveList(STREAMS).bind_rows(page.window, row_id=stream_id)
        with section("About"), ui.element("div").classes("lw-panel"):
            Details(STREAMS, is_inline=True).bind_row(page.window, stream_id)
            run_environment_section(page, stream_id)
    with ui.element("div").classes("lw-columns"):
        with section("Plan"), ui.element("div").classes("lw-panel"):
            plan = PlanPanel(page, stream_id)
        with section("Comments"), ui.element("div").classes("lw-panel lw-comments"):
            ThreadPanel(page, Subject(table=Topical.STREAM, id=stream_id), "Comments on this stream")
    EditsPanel(page, stream_id, plan.names)


def _records(page: PageContext, stream_id: UUID) -> None:
    def is_of_stream(row: AgentExecution) -> bool:
        return row.stream_id == stream_id

    with section("Progress over time"), ui.element("div").classes("lw-panel"):
        _progress_chart(page, stream_id)
    metric_charts(page, STREAMS, [stream_id])
    artefact_list(page, STREAMS, stream_id)
    run_log(page, STREAMS, stream_id)
    with section("Scans"):
        related_list(page, SCANS, "stream_id", stream_id, empty_text="No scan belongs to this stream.")
    with section("Timeline of agent runs"), ui.element("div").classes("lw-panel"):
        stored = stored_rows(page, AGENTS, {"stream_id": stream_id})
        RunTimeline().bind_runs(page.window, where=is_of_stream, stored=stored, limit=MAX_ROWS)
    with ui.element("div").classes("lw-columns"):
        with section("Agents"):
            none_yet = "No agent has worked on this stream yet."
            related_list(page, AGENTS, "stream_id", stream_id, limit=25, empty_text=none_yet)
            ui.link("All runs of this stream", f"/monitoring/agents?stream={stream_id}").classes("lw-more")
        with section("Activity"):
            related_list(page, ACTIVITIES, "stream_id", stream_id, limit=25)


def _progress_chart(page: PageContext, stream_id: UUID) -> None:
    """Show the stored history, read when the chart is mounted, and append live progress."""
    chart = ProgressChart(label="Progress over time")
    binding = chart.bind(page.window)
    subscription = page.window.subscribe(STREAMS, row_id=stream_id, on_change=binding.changed)
    binding.view = history = HistoryView(subscription)

    async def load() -> None:
        try:
            history.load(await progress_history(page.services.database, page.session.identity, stream_id))
        except LivewatchError as error:
            tell_error(f"The history could not be read: {error}")
        binding.refresh()

    chart.on("live", load)
    chart.on_delete(subscription.close)
