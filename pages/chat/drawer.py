"""The chat of the organisation at the side of any page."""

from nicegui import ui
from nicegui.element import Element

from components.shell.drawers import Drawer
from pages.chat.thread_panel import ThreadPanel
from pages.page.context import PageContext
from services.chat.messages import Subject
from services.entities import Topical


class ChatDrawer(Drawer):
    """Drawer with everybody's chat; it holds its subscriptions only while it is open."""

    def __init__(self, page: PageContext) -> None:
        super().__init__("Chat", testid="chat-drawer")
        self._page = page

    def open(self) -> None:
        """Open the drawer."""
        if self.is_open:
            return
        with self.fill() as actions:
            with actions:
                ui.link("All threads", "/chat").classes("lw-text-button")
            with Element("div").classes("lw-chat-drawer"):
                org = self._page.membership.org_id
                ThreadPanel(self._page, Subject(table=Topical.ORGANIZATION, id=org), "Everybody")
