"""Progress bars without a card: one or several, full or compact."""

from typing import Any, Literal

from components.elements.lists.live_list import LiveList
from components.window.live_element import SHARED_JS
from services.entities import Entity

Variant = Literal["full", "compact"]


class LiveProgress(LiveList, component="live_list.js", dependencies=[SHARED_JS, "row_templates.js"]):
    """A bar for each row of streams or scans; otherwise like a `LiveList`.

    Args:
        entity: Streams or scans.
        variant: Full shows name, status, percentage, step, count and age; compact one line with name, bar, percentage.
        table: The `data-table` of the values; the entity's table by default.
        label: Its accessible name.
        skeletons: Number of placeholders.
    """

    def __init__(
        self,
        entity: Entity[Any],
        *,
        variant: Variant = "full",
        table: str | None = None,
        label: str | None = None,
        skeletons: int = 1,
    ) -> None:
        super().__init__(entity, table=table, label=label, skeletons=skeletons)
        self.props["template"] = f"{entity.table}-{variant}"
