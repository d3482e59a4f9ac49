"""One row in full, beside the list that it was selected in."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from components.presentation.details import detail_presenter
from components.views.computed import OneRowView
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window
from services.entities import Entity


class Details(LiveElement, component="details.js", dependencies=[SHARED_JS]):
    """The fields of one row; a placeholder until the first batch.

    An empty `reset` says that there is no such row, and shows `gone_text`. Emits `close` when the person closes it, and
    returns the focus to where it was.
    """

    def __init__(self, entity: Entity[Any], *, gone_text: str) -> None:
        super().__init__()
        self.entity = entity
        self.props["table"] = entity.table
        self.props["status-styles"] = entity.statuses.styles()
        self.props["noun"] = entity.noun
        self.props["gone-text"] = gone_text

    def bind_row(self, window: Window, id: UUID | None) -> None:
        """Show the row of that id, which may appear, change and be deleted; the subscription ends with the element."""
        present = detail_presenter(self.entity)
        binding = self.bind(window)
        subscription = window.subscribe(self.entity, on_change=binding.changed, where=lambda row: row.id == id)

        def fields() -> Mapping[str, Any] | None:
            row = subscription.get(id) if id else None
            return present(row) if row else None

        binding.view = OneRowView(lambda: subscription.is_loaded, fields)
        self.on_delete(subscription.close)

    def on_close(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the person closes it."""
        self.on("close", handler)
