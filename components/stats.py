"""Stat cards: a label, an icon and a number that counts up to its new value."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element

from components.batch import Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One card; `key` is its id in batches. `href` makes it a link."""

    key: str
    label: str
    icon: str
    href: str | None = None


class StatGrid(Element, component="stat_grid.js", dependencies=["lw_parts.js"]):
    """Stat cards with a placeholder until the first batch; emits `live` when mounted.

    Batches have the stats' keys as ids and the fields `value` (a number, or a text shown as it is), `hint` (a short
    text or None) and `tone` (one of the status tones or None). The cards and their order are those given here.
    """

    def __init__(self, stats: Sequence[Stat]) -> None:
        super().__init__()
        self.props["stats"] = [asdict(stat) for stat in stats]

    def apply(self, batch: Batch) -> None:
        """Show a batch, in a message of its own."""
        self.run_method("apply", batch)
