"""The hot list: rows of one kind as cards or lines, changed in place by batches."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.presentation.rows import epoch_ms
from components.presentation.statuses import StatusStyleJson, status_styles_of
from components.window.batch import Batch
from components.window.scripts import SHARED_JS
from services.entities import AgentStatus, GoalStatus, NotificationType, Priority, ScanStatus, Subject

Kind = Literal[
    "stream",
    "scan",
    "agent",
    "alert",
    "notification",
    "activity",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _KindOfRow:
    looks: dict[str, StatusStyleJson]
    label: str
    skeletons: int
    empty_icon: str
    empty_text: str
    is_reported: bool = False
    """Whether programs report it, so that an empty list leads to how."""


SUBJECTS: dict[Subject, type[StrEnum]] = {
    Subject.STREAM: GoalStatus,
    Subject.SCAN: ScanStatus,
    Subject.AGENT: AgentStatus,
}
KINDS: dict[Kind, _KindOfRow] = {
    "stream": _KindOfRow(
        looks=status_styles_of(GoalStatus),
        label="Streams",
        skeletons=6,
        empty_icon="stacked_line_chart",
        empty_text="No streams yet. Start a job that reports its progress and it appears here at once.",
        is_reported=True,
    ),
    "scan": _KindOfRow(
        looks=status_styles_of(ScanStatus),
        label="Scans",
        skeletons=3,
        empty_icon="radar",
        empty_text="No scans yet. Start an acquisition scan and watch its steps here.",
        is_reported=True,
    ),
    "agent": _KindOfRow(
        looks=status_styles_of(AgentStatus),
        label="Agents",
        skeletons=6,
        empty_icon="smart_toy",
        empty_text="No agent has run yet. Runs appear here the moment they start.",
        is_reported=True,
    ),
    "alert": _KindOfRow(
        looks=status_styles_of(Priority),
        label="Alerts",
        skeletons=5,
        empty_icon="notifications_none",
        empty_text="No alerts. When something is detected for you, it appears here.",
    ),
    "notification": _KindOfRow(
        looks=status_styles_of(NotificationType),
        label="Notifications",
        skeletons=5,
        empty_icon="inbox",
        empty_text="Nothing to read. Messages for you arrive here.",
    ),
    "activity": _KindOfRow(
        looks={
            f"{subject}/{status}": look
            for subject, statuses in SUBJECTS.items()
            for status, look in status_styles_of(statuses).items()
        },
        label="Activity",
        skeletons=6,
        empty_icon="history",
        empty_text="Nothing has happened yet. Every status that work takes is noted here.",
    ),
}


class LiveList(Element, component="live_list.js", dependencies=[SHARED_JS, "row_templates.js"]):
    """Shows skeletons until the first batch, then its rows.

    Emits `live` when the browser has mounted it and needs a `reset`; emits `markRead` with a row's id, which comes
    from the browser and is to be checked like any input.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        table: str | None = None,
        label: str | None = None,
        skeletons: int | None = None,
        empty_icon: str | None = None,
        empty_text: str | None = None,
        pages: bool = False,
    ) -> None:
        """`table` is the `data-table` of the values, the kind's own by default; an empty `empty_text` shows nothing.

        One that `pages` shows a part of its rows and emits `scroll` (`first`, `reading`) when the reader needs another,
        and `settle` when they want what waits.
        """
        super().__init__()
        of_kind = KINDS[kind]
        self.props["kind"] = kind
        if table is not None:
            self.props["table"] = table
        self.props["looks"] = of_kind.looks
        self.props["label"] = label or of_kind.label
        self.props["skeletons"] = of_kind.skeletons if skeletons is None else skeletons
        self.props["pages"] = pages
        self.props["empty-icon"] = empty_icon or of_kind.empty_icon
        self.props["empty-text"] = of_kind.empty_text if empty_text is None else empty_text
        self.props["connects"] = of_kind.is_reported and empty_text is None

    def apply(self, batch: Batch) -> None:
        """Show a batch, in a message of its own."""
        self.run_method("apply", batch)

    def set_stale(self, since: datetime | None) -> None:
        """Grey the list and say as of when it is true; None makes it live again. A window without its server
        does so by itself."""
        self.run_method("setStale", epoch_ms(since))

    def set_selected(self, id: str | None) -> None:
        """Show that the row of that id is the selected one, or none."""
        self.props["selected"] = id
        self.update()

    def on_select(self, handler: Callable[[str], object]) -> None:
        """Have rows selected here, where else their name is a link to where they are: `handler` gets the row's id."""
        self.props["selects"] = True

        def selected(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("select", selected)

    def on_mark_read(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the row that a person marked as read."""

        def marked(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("markRead", marked)
