"""Badge with a live count."""

from collections.abc import Sequence

from components.elements.figures.counters import bind_counters
from components.views.counts import Counter
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from components.window.window import Window


class CountBadge(LiveElement, component="count_badge.js"):
    """Badge with the sum of the counts of `keys`; invisible at 0.

    Accepts the batches of a `StatGrid`. The value is marked `data-table="inbox" data-id="<keys>" data-field="unread"`.
    """

    def __init__(self, *keys: str, label: str = "unread") -> None:
        super().__init__()
        self.keys = keys
        self.props["counts"] = keys
        self.props["label"] = label

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`; a count is shown once it is live."""
        return ""

    def bind_counters(self, window: Window, counters: Sequence[Counter]) -> None:
        """Show live counters; the subscriptions, one per entity, end with the element."""
        bind_counters(self, window, counters)
