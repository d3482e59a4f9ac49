"""Details of the row that is selected in a list."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from components.presentation.compact_elements import SharedDict
from components.presentation.details import detail_presenter
from components.views.computed import OneRowView
from components.views.lists.rows import missing_of
from components.window.batch import Missing
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import ALERTS, Entity, Topical

NO_ROW = UUID(int=0)
"""The id of no row."""


class Details(LiveElement, component="details.js", dependencies=["run_bars.js"]):
    """Fields of one row, with a placeholder until the first batch.

    An empty `reset` means that the row is not here: without `missing` it does not exist, and `gone_text` is shown.
    Emits `close` when the user closes the details, and restores the focus. With `is_inline` they are part of a page
    that has a heading of its own.
    """

    def __init__(self, entity: Entity[Any], *, gone_text: str = "", is_inline: bool = False) -> None:
        super().__init__()
        self.entity = entity
        self.props["table"] = entity.table
        self.props["status-styles"] = SharedDict(entity.statuses.styles())
        self.props["noun"] = entity.noun
        self.props["gone-text"] = gone_text
        self.props["is-inline"] = is_inline

    def bind_row(self, window: Window, id: UUID | None) -> None:
        """Show the row with that id, which may not exist yet or be deleted; the subscription ends with the element.

        An alert of several recipients is also found by the id under which they talk about it.
        """
        present = detail_presenter(self.entity)
        binding = self.bind(window)
        found = [window.subscribe(self.entity, on_change=binding.changed, row_id=id or NO_ROW)]
        if self.entity is ALERTS:
            found.append(
                window.subscribe(self.entity, on_change=binding.changed, where=lambda row: row.discussed_id == id)
            )

        def fields() -> Mapping[str, Any] | None:
            row = next((row for each in found for row in each.rows()), None)
            if row is None:
                return None
            is_discussed = self.entity.table in set(Topical)
            comments = f"/chat?about={self.entity.table}:{row.discussed_id}" if is_discussed else None
            return {**present(row), "comments": comments}

        def missing() -> Missing | None:
            # An alert may also be found by its event, but not one that is older than the feed's.
            last = found[-1]
            return missing_of(last) if last.is_loaded or last.is_denied else None

        binding.view = OneRowView(missing, fields)
        self.on_delete(*(each.close for each in found))

    def on_close(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user closes the details."""
        self.on("close", handler)
