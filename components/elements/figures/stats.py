"""Live numbers: stat cards that count up to a new value, and small badges."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element

from components.window.batch import Batch
from components.window.scripts import SHARED_JS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One card; `key` is its id in batches. `href` makes it a link, `spark` keeps room for the last hour."""

    key: str
    label: str
    icon: str
    href: str | None = None
    spark: bool = False


class StatGrid(Element, component="stat_grid.js", dependencies=[SHARED_JS]):
    """Stat cards with a placeholder until the first batch; emits `live` when mounted.

    Batches have the stats' keys as ids and the fields `value` (a number, or a text shown as it is), `hint` (a short
    text or None), `tone` (one of the status tones or None) and `spark` (a number a minute). The cards and their order
    are those given here. With a stat that has a `spark`, emits `history` when mounted and every minute that it is seen.
    """

    def __init__(self, stats: Sequence[Stat]) -> None:
        super().__init__()
        self.props["stats"] = [asdict(stat) for stat in stats]

    def apply(self, batch: Batch) -> None:
        """Show a batch, in a message of its own."""
        self.run_method("apply", batch)


class CountBadge(Element, component="count_badge.js", dependencies=[SHARED_JS]):
    """How many wait to be read, as `data-table="inbox" data-id="<keys>" data-field="unread"`; invisible at none.

    Batches are those of a StatGrid: the sum of the `value` of each key is shown. Emits `live` when mounted.
    """

    def __init__(self, *keys: str, label: str = "unread") -> None:
        super().__init__()
        self.keys = keys
        self.props["counts"] = list(keys)
        self.props["label"] = label
