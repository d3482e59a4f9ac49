"""Stat cards with live numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.elements.figures.counters import bind_counters
from components.views.computed import FieldsView
from components.views.counts import Counter
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One card.

    Args:
        key: Its id in batches.
        label: Its name.
        icon: A Material icon.
        href: Makes it a link.
        spark: Whether it keeps room for a sparkline of the last hour.
    """

    key: str
    label: str
    icon: str
    href: str | None = None
    spark: bool = False


class StatGrid(LiveElement, component="stat_grid.js", dependencies=[SHARED_JS]):
    """Stat cards in the given order; placeholders until the first batch.

    Batches have the stats' keys as ids and the fields `value` (a number, or a text shown as it is), `hint` (a short
    text or None), `tone` (a status tone or None) and `spark` (one number per minute). With a stat that has a `spark`,
    emits `history` when mounted and every minute that it is visible.
    """

    def __init__(self, stats: Sequence[Stat]) -> None:
        super().__init__()
        self.props["stats"] = [asdict(stat) for stat in stats]

    def bind_counters(self, window: Window, counters: Sequence[Counter]) -> None:
        """Show live counters; the subscriptions, one per entity, end with the element."""
        bind_counters(self, window, counters)

    def bind_fields(self, window: Window, compute: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        """Show what `compute` returns, computed again at every change of a status: at every probe at least."""
        self.bind(window, FieldsView(compute), follows_status=True)
