"""The chat of the organisation at the side of any page."""

from nicegui import ui
from nicegui.element import Element

from components.presentation.text import icon, text
from pages.chat.thread_panel import ThreadPanel
from pages.page.context import PageContext
from services.chat.messages import Subject
from services.entities import Topical


class ChatDrawer:
    """Drawer that opens over any page; it holds its subscriptions only while it is open."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        with ui.dialog().props('position=right full-height aria-label="Chat"').classes("lw-inbox-dialog") as dialog:
            self._host = Element("section").classes("lw-inbox").props("data-testid=chat-drawer")
        self._dialog = dialog
        dialog.on("hide", self._clear)
        ui.context.client.sub_pages_router.on_path_changed(lambda _: self.close())

    def open(self) -> None:
        """Open the drawer."""
        if self._dialog.value:
            return
        self._host.clear()
        with self._host:
            with Element("div").classes("lw-inbox__head"):
                text("h2", "Chat")
                ui.link("All threads", "/chat").classes("lw-text-button lw-push")
                close = Element("button").classes("lw-icon-button").props("type=button title=Close aria-label=Close")
                close.on("click", self._dialog.close)
                with close:
                    icon("close")
            with Element("div").classes("lw-chat-drawer"):
                org = self._page.membership.org_id
                ThreadPanel(self._page, Subject(table=Topical.ORGANIZATION, id=org), "Everybody")
        self._dialog.open()

    def close(self) -> None:
        """Close the drawer; idempotent."""
        self._dialog.close()

    def _clear(self) -> None:
        if not self._dialog.value:
            self._host.clear()
