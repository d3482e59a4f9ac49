"""Connection chips: the server's status of a feed, combined with the browser's own connection."""

from collections.abc import Mapping
from html import escape
from typing import Literal

from components.presentation.compact_elements import SharedDict
from components.presentation.connection import present_connection
from components.views.computed import FieldsView
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from components.window.window import Window
from services.entities import ConnectionStatus as Status
from services.entities import Scope, StatusStyle
from services.realtime.status import FeedStatus

Size = Literal["sm", "md", "lg"]


class MultiConnectionStatus(LiveElement, component="connection_status.js"):
    """One chip for each of several named connections.

    Batches have the connections' names as ids and the fields of `present_connection`. Every chip says "Connecting"
    until the first batch, and "Offline" while the browser has no connection to the server.

    Args:
        connections: Label by name; an empty label shows the status only.
        size: Size of the chips.
        text: Whether the status is shown as text next to its dot.
    """

    def __init__(self, connections: Mapping[str, str], *, size: Size = "md", text: bool = True) -> None:
        super().__init__()
        self.props["connections"] = SharedDict(connections)
        self.props["size"] = size
        self.props["text"] = text
        self.props["status-styles"] = SharedDict(Status.styles())

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`: every chip says "Connecting"."""
        style = Status.CONNECTING.style
        chips = "".join(self._first_chip(label, style) for label in self.props["connections"].values())
        return f'<div class="lw-chips">{chips}</div>'

    def _first_chip(self, label: str, style: StatusStyle) -> str:
        name = f'<span class="lw-chip__name">{escape(label)}</span>' if label and self.props["text"] else ""
        bare = "" if self.props["text"] else " lw-chip--bare"
        return (
            f'<span class="lw-chip lw-chip--{self.props["size"]}{bare}" data-tone="{style.tone}">'
            f'<span class="lw-dot" data-tone="{style.tone}" aria-hidden="true"></span>{name}'
            f'<span class="lw-chip__status{"" if self.props["text"] else " lw-sr-only"}">{style.label}</span></span>'
        )

    def bind_status(self, window: Window, scopes: Mapping[str, Scope | None]) -> None:
        """Show for each name the worst status of the window's subscriptions in a scope, or of all for None."""

        def statuses() -> Mapping[str, Mapping[str, object]]:
            return {name: present_connection(window.status(scope)) for name, scope in scopes.items()}

        self.bind(window, FieldsView(statuses), follows_status=True)

    def set(self, name: str, status: FeedStatus) -> None:
        """Show the status of one connection, in a separate message."""
        self.apply({"set": {name: present_connection(status)}})


class ConnectionStatus(MultiConnectionStatus):
    """The chip of one connection, marked `data-id="<name>"`."""

    def __init__(self, name: str = "feed", *, label: str = "", size: Size = "md", text: bool = True) -> None:
        super().__init__({name: label}, size=size, text=text)
        self.name = name

    def show(self, status: FeedStatus) -> None:
        """Show the status, in a separate message."""
        self.set(self.name, status)
