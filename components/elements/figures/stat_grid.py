"""Grid of stat cards with live numbers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from components.elements.figures.counters import bind_counters
from components.views.computed import FieldsView
from components.views.counts import Counter
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from components.window.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """One stat card.

    Args:
        key: Id in batches.
        label: Label of the card.
        icon: Name of a Material icon.
        href: Target of the card as a link; None for no link.
        spark: Whether the card has a sparkline of the last hour.
    """

    key: str
    label: str
    icon: str
    href: str | None = None
    spark: bool = False


class StatGrid(LiveElement, component="stat_grid.js"):
    """Stat cards in the given order, with placeholders until the first batch.

    Batches have the stats' keys as ids and the fields `value` (a number, or a text shown verbatim), `hint` (a short
    text or None), `tone` (a status tone or None) and `spark` (one number per minute). If a stat has a sparkline, the
    grid emits `history` when mounted and then every minute while visible.
    """

    def __init__(self, stats: Sequence[Stat]) -> None:
        super().__init__()
        self.props["stats"] = tuple(stats)

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`."""
        return f'<div class="lw-stats">{"".join(_first_card(stat, link) for stat in self.props["stats"])}</div>'

    def bind_counters(self, window: Window, counters: Sequence[Counter]) -> None:
        """Show live counters; the subscriptions, one per entity, end with the element."""
        bind_counters(self, window, counters)

    def bind_fields(self, window: Window, compute: Callable[[], Mapping[str, Mapping[str, Any]]]) -> None:
        """Show the fields that `compute` returns, recomputed at every status change, at least at every probe."""
        self.bind(window, FieldsView(compute), follows_status=True)


def _first_card(stat: Stat, link: Link) -> str:
    label = escape(stat.label)
    name = (
        f'<a class="lw-card__link lw-clip" href="{escape(link(stat.href))}">{label}</a>'
        if stat.href
        else f'<span class="lw-clip">{label}</span>'
    )
    spark = '<div class="lw-spark" aria-hidden="true"></div>' if stat.spark else ""
    return (
        f'<div class="lw-stat"><div class="lw-stat__label"><i class="lw-icon notranslate" aria-hidden="true">'
        f'{escape(stat.icon)}</i>{name}</div><div class="lw-stat__value">'
        f'<span class="lw-ghost__line" aria-hidden="true"></span></div>{spark}</div>'
    )
