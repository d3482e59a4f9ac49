"""Progress without a card around it: one or several bars with their figures, full or compact."""

from typing import Literal

from components.elements.lists.live_list import LiveList
from components.window.scripts import SHARED_JS

Variant = Literal["full", "compact"]


class LiveProgress(LiveList, component="live_list.js", dependencies=[SHARED_JS, "row_templates.js"]):
    """A bar for each row of a batch, one or many; takes what `present_stream` or `present_scan` gives.

    Full shows name, status, percentage, step, count and age; compact a single line with name, bar and percentage.
    Otherwise as a LiveList: skeletons until the first batch, `live`, stale.
    """

    def __init__(
        self,
        kind: Literal["stream", "scan"],
        *,
        variant: Variant = "full",
        table: str | None = None,
        label: str | None = None,
        skeletons: int = 1,
    ) -> None:
        super().__init__(kind, table=table, label=label, skeletons=skeletons)
        self.props["kind"] = f"{kind}-{variant}"
