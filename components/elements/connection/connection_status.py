"""Connection chips: what the server knows of the feed, combined with what only the browser can know."""

from collections.abc import Mapping
from typing import Any, Literal

from nicegui.element import Element

from components.presentation.rows import epoch_ms
from components.presentation.statuses import status_styles_of
from components.window.batch import Batch
from components.window.scripts import SHARED_JS
from services.entities import ConnectionStatus as Status
from services.realtime.status import FeedStatus

Size = Literal["sm", "md", "lg"]


class MultiConnectionStatus(Element, component="connection_status.js", dependencies=[SHARED_JS]):
    """A chip for each of several named connections; emits `live` when mounted.

    Batches have the connections' names as ids and the fields of `present_connection`. Until the first batch all are
    connecting. While the window itself has no server, every chip says "Offline", whatever was said last.
    """

    def __init__(self, connections: Mapping[str, str], *, size: Size = "md", text: bool = True) -> None:
        """`connections` maps names to the labels shown; an empty label shows the status only."""
        super().__init__()
        self.props["connections"] = dict(connections)
        self.props["size"] = size
        self.props["text"] = text
        self.props["looks"] = status_styles_of(Status)

    def apply(self, batch: Batch) -> None:
        """Show a batch, in a message of its own."""
        self.run_method("apply", batch)

    def set(self, name: str, status: FeedStatus) -> None:
        """Show the state of one connection, in a message of its own."""
        self.apply({"set": {name: present_connection(status)}})


class ConnectionStatus(MultiConnectionStatus):
    """The chip of one connection, `data-id="<name>"`."""

    def __init__(self, name: str = "feed", *, label: str = "", size: Size = "md", text: bool = True) -> None:
        super().__init__({name: label}, size=size, text=text)
        self.name = name

    def show(self, status: FeedStatus) -> None:
        """Show the connection's state, in a message of its own."""
        self.set(self.name, status)


def present_connection(status: FeedStatus) -> dict[str, Any]:
    """A connection's state as fields: times as epoch milliseconds, the lag in milliseconds."""
    return {
        "status": status.status.value,
        "cause": status.cause,
        "attempt": status.attempt,
        "retry_at": epoch_ms(status.retry_at),
        "connected_at": epoch_ms(status.connected_at),
        "last_event_at": epoch_ms(status.last_event_at),
        "lag_ms": None if status.lag is None else round(status.lag * 1000, 1),
    }
