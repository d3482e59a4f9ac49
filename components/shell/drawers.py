"""Drawers at the side of the window."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from components.elements.figures.count_badge import CountBadge
from components.presentation.text import icon, text


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxTab:
    """One tab of the drawer.

    Args:
        key: Id of the tab.
        label: Label of the tab.
        path: Path of the page that lists all messages of the tab.
        build: Builds the list of messages.
        bind: Binds the badge with the unread count.
        mark_all: Marks all messages of the tab as read.
    """

    key: str
    label: str
    path: str
    build: Callable[[], object]
    bind: Callable[[CountBadge], object]
    mark_all: Callable[[], Awaitable[object]]


class Drawer:
    """Drawer at the side of the window that opens over any page; what is in it exists only while it is open.

    Escape closes the drawer and restores the focus; navigation closes it.

    Args:
        name: Its name, for screen readers.
        testid: Id of its content in tests.
    """

    def __init__(self, name: str, *, testid: str) -> None:
        self._name = name
        with ui.dialog().props("position=right full-height").classes("lw-inbox-dialog") as dialog:
            dialog.props["aria-label"] = name
            self._host = Element("section").classes("lw-inbox")
            self._host.props["data-testid"] = testid
        self._dialog = dialog
        dialog.on("hide", self._clear)
        ui.context.client.sub_pages_router.on_path_changed(lambda _: self.close())

    @contextmanager
    def fill(self) -> Iterator[Element]:
        """Open the drawer with what is built inside; yields the place in its head for actions."""
        self._host.clear()
        with self._host:
            with Element("div").classes("lw-inbox__head"):
                text("h2", self._name)
                actions = Element("div").classes("lw-push")
                close = Element("button").classes("lw-icon-button").props("type=button title=Close aria-label=Close")
                close.on("click", self.close)
                with close:
                    icon("close")
            yield actions
        self._dialog.open()

    @property
    def is_open(self) -> bool:
        """Whether it is open."""
        return bool(self._dialog.value)

    def close(self) -> None:
        """Close the drawer; idempotent."""
        self._dialog.close()

    def _clear(self) -> None:
        if not self.is_open:
            self._host.clear()


class InboxDrawer(Drawer):
    """Drawer with the inbox; a list holds its subscription only while its tab is open."""

    def __init__(self, tabs: Sequence[InboxTab]) -> None:
        super().__init__("Inbox", testid="inbox")
        self._tabs = {tab.key: tab for tab in tabs}

    def open(self, key: str) -> None:
        """Open the drawer with the tab `key`."""
        if self.is_open:
            return
        with self.fill() as actions:
            with actions:
                mark = Element("button").classes("lw-text-button").props("type=button")
                mark.on("click", self._mark_all)
                with mark:
                    text("span", "Mark all as read")
            self._build_tabs(key)
            with Element("div").classes("lw-inbox__body") as self._body:
                self._body.props["role"] = "tabpanel"
            with Element("div").classes("lw-inbox__foot") as self._foot:
                pass
            self._show(key)

    def _build_tabs(self, key: str) -> None:
        with ui.tabs().props("no-caps dense align=left") as tabs:
            for tab in self._tabs.values():
                with ui.tab(tab.key, label="").classes("lw-inbox__tab"):
                    text("span", tab.label)
                    tab.bind(CountBadge(tab.key))
        tabs.value = key
        tabs.on_value_change(lambda event: self._show(str(event.value)))

    def _show(self, key: str) -> None:
        self._tab = self._tabs[key]
        self._body.clear()
        self._body.props["aria-label"] = self._tab.label
        with self._body:
            self._tab.build()
        self._foot.clear()
        with self._foot:
            ui.link(f"All {self._tab.label.lower()}", self._tab.path).classes("lw-more")

    async def _mark_all(self) -> None:
        await self._tab.mark_all()
