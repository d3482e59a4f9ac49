"""/streams/{id}: one stream, how it got where it is, and what works on it."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.bindings import live_rows
from components.elements.charts.charts import ProgressChart, RunTimeline
from components.presentation.rows import present_agent
from components.presentation.text import text
from components.shell.feedback import not_found_panel
from components.shell.shell import page_head, section
from components.views.history import HistoryView
from components.window.hooks import Hook, use_stream_progress
from components.window.window import LiveBinding, end_with
from pages.lists.run_log import run_log
from pages.page.context import PageContext, activity_list, agent_list, newest_first, scan_list, stream_list
from services.entities import AgentExecution, Stream
from services.entities.entity import AGENTS, STREAMS
from services.errors import LivewatchError
from services.history.progress_history import progress_history


def stream_page(page: PageContext, id: str) -> None:
    """Everything about one stream; an id that is none, or not of this organisation, gets a page that says so."""
    try:
        stream_id = UUID(id)
    except ValueError:
        not_found_panel("There is no such stream", f"“{id}” is not the id of a stream.")
        return

    def is_of_it(row: AgentExecution) -> bool:
        return row.stream_id == stream_id

    with ui.element("div") as missing:
        not_found_panel("There is no such stream", "It was deleted, or it belongs to another organisation.")
    with ui.element("div").classes("lw-page") as found:
        with page_head("Stream"):
            ui.link("All streams", "/monitoring").classes("lw-button lw-button--link")
        stream_list(page, where=lambda stream: stream.id == stream_id)
        with section("Progress over time"), ui.element("div").classes("lw-panel"):
            progress_chart(page, stream_id)
        run_log(page, STREAMS, stream_id)
        stream_facts(page, stream_id)
        with section("Scans"):
            scan_list(
                page,
                where=lambda scan: scan.stream_id == stream_id,
                empty_text="No scan belongs to this stream.",
            )
        with section("Timeline of agent runs"), ui.element("div").classes("lw-panel"):
            timeline(page, is_of_it)
        with ui.element("div").classes("lw-columns"):
            with section("Agents"):
                agent_list(page, where=is_of_it, limit=25, empty_text="No agent has worked on this stream yet.")
                ui.link("All runs of this stream", f"/monitoring/agents?stream={stream_id}").classes("lw-more")
            with section("Activity"):
                activity_list(page, where=lambda row: row.stream_id == stream_id, limit=25)
    missing.set_visibility(False)

    def show(stream: Hook[Stream]) -> None:
        exists = not stream.is_loaded or bool(stream.data)
        found.set_visibility(exists)
        missing.set_visibility(not exists)

    use_stream_progress(page.window, stream_id, on_change=show)


def stream_facts(page: PageContext, stream_id: UUID) -> None:
    """Why it ended badly, and what else its program says of it; nothing while there is neither."""

    def show(stream: Hook[Stream]) -> None:
        facts.clear()
        for row in stream.data:
            told = [("Error", row.error, "critical")] if row.error else []
            told += [(name, shown(value), "") for name, value in row.details.items()]
            with facts:
                for label, value, tone in told:
                    with ui.element("section").classes("lw-details__text") as part:
                        part.props["data-tone"] = tone
                        text("h3", label)
                        text("pre", value).props("tabindex=0")

    def shown(value: Any) -> str:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)

    facts = ui.element("div").classes("lw-facts-of")
    use_stream_progress(page.window, stream_id, on_change=show)


def progress_chart(page: PageContext, stream_id: UUID) -> None:
    """The history from the database, read each time that the chart is mounted, and then every step."""
    chart = ProgressChart(label="Progress over time")
    live = LiveBinding(page.window, chart)
    subscription = page.window.subscribe(STREAMS, where=lambda stream: stream.id == stream_id, on_change=live.changed)
    live.view = history = HistoryView(subscription)

    async def load() -> None:
        try:
            history.load(await progress_history(page.context.database, page.session.identity, stream_id))
        except LivewatchError as error:
            ui.notify(f"The history cannot be read now: {error}", type="negative")
        live.refresh()

    chart.on("live", load)
    end_with(chart, live.close, subscription.close)


def timeline(page: PageContext, where: Callable[[AgentExecution], bool]) -> None:
    """The latest 200 runs as bars."""
    live_rows(page.window, RunTimeline(), AGENTS, present=present_agent, key=newest_first, where=where)
