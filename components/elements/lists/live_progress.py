"""Progress bars without cards, full or compact."""

from typing import Any, Literal

from components.elements.handling import HANDLING_JS
from components.elements.lists.live_list import LiveList
from components.elements.viewers import VIEWERS_JS
from services.entities import Entity

Variant = Literal["full", "compact"]


class LiveProgress(
    LiveList,
    component="live_list.js",
    dependencies=[VIEWERS_JS, HANDLING_JS, "run_bars.js", "row_templates.js"],
):
    """`LiveList` with a progress bar for each stream or scan.

    Args:
        entity: Streams or scans.
        variant: `full` shows name, status, percentage, step, count and age; `compact` shows name, bar and percentage in
            one line.
        table: Value of the attribute `data-table`; the entity's table by default.
        label: Accessible name.
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
