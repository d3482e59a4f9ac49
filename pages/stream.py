"""/streams/{id}: one stream with its scans and agent executions."""

from uuid import UUID

from nicegui import ui

from components.feedback import not_found_panel
from components.live import Hook, use_stream_progress
from components.shell import page_head, section
from pages.visit import Visit, agent_list, scan_list, stream_list
from services.models import Stream


def stream_page(visit: Visit, id: str) -> None:
    """Everything about one stream; an id that is none, or not of this organisation, gets a page that says so."""
    try:
        stream_id = UUID(id)
    except ValueError:
        not_found_panel("There is no such stream", f"“{id}” is not the id of a stream.")
        return
    with ui.element("div") as missing:
        not_found_panel("There is no such stream", "It was deleted, or it belongs to another organisation.")
    with ui.element("div") as found:
        page_head("Stream")
        stream_list(visit, where=lambda stream: stream.id == stream_id)
        with section("Scans"):
            scan_list(visit, where=lambda scan: scan.stream_id == stream_id)
        with section("Agents"):
            agent_list(visit, where=lambda run: run.stream_id == stream_id)
    missing.set_visibility(False)

    def show(stream: Hook[Stream]) -> None:
        exists = not stream.is_loaded or bool(stream.data)
        found.set_visibility(exists)
        missing.set_visibility(not exists)

    use_stream_progress(visit.window, stream_id, on_change=show)
