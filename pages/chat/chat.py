"""/chat: the chat of the organisation, and the threads about its runs and alerts."""

from nicegui import ui

from components.elements.chat.thread_list import ThreadList
from components.shell.feedback import not_found_panel
from components.shell.shell import page_head
from pages.chat.search import search_box
from pages.chat.thread_panel import ThreadPanel
from pages.page.context import PageContext
from services.chat.messages import Subject
from services.entities import AGENTS, ALERTS, SCANS, STREAMS, Topical

LABELS = {
    Topical.ORGANIZATION: "Everybody",
    Topical.STREAM: "Comments on a stream",
    Topical.SCAN: "Comments on a scan",
    Topical.AGENT: "Comments on an agent run",
    Topical.ALERT: "Comments on an alert",
}
PATHS = {
    Topical.STREAM: STREAMS.row_path,
    Topical.SCAN: SCANS.row_path,
    Topical.AGENT: AGENTS.row_path,
    Topical.ALERT: ALERTS.row_path,
}


def chat_page(page: PageContext, about: str = "", message: str = "") -> None:
    """Build the page: the list of threads, and the thread that the URL names beside it."""
    subject = Subject.parse(about, page.membership.org_id)
    if subject is None:
        not_found_panel("There is no such thread", f"“{about[:80]}” names no run and no alert.")
        return
    label = LABELS[subject.table]
    with page_head("Chat"):
        search_box(page)
        if path := PATHS.get(subject.table):
            ui.link("What it is about", path.format(id=subject.id)).classes("lw-button lw-button--link")
    with ui.element("div").classes("lw-chat-page"):
        ThreadList(about).bind_threads(page.window, page.unread)
        with ui.element("div").classes("lw-panel"):
            ThreadPanel(page, subject, label, at=_number(message), on_name=page.title.set)


def _number(text: str) -> int | None:
    """Return the number of a message in the URL; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text[:10]) < 2**31 else None
