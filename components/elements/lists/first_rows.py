"""The rows of a list in the first paint: cards with their figures, lines with their names, or placeholders."""

import math
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from html import escape
from typing import Any

from components.window.batch import Batch
from components.window.view import Link
from services.entities import ALERTS, NOTIFICATIONS, SCANS, STREAMS, StatusStyleJson

LAYOUTS = {
    STREAMS.table: "lw-cards",
    SCANS.table: "lw-cards lw-cards--scans",
    ALERTS.table: "lw-lines lw-lines--tall",
    NOTIFICATIONS.table: "lw-lines lw-lines--tall",
}
"""Classes of the lists by table, as in `row_templates.js`; those of other tables are plain lines."""
THOUSANDTH = Decimal("0.001")
UNKNOWN: StatusStyleJson = {"tone": "neutral", "icon": "help_outline", "label": "", "pulse": False}

Styles = Mapping[str, StatusStyleJson]
RowHtml = Callable[[str, dict[str, Any], Styles, Link], str]


def first_rows(props: Mapping[str, Any], batch: Batch | None, link: Link) -> str:
    """Return a list as HTML, from the properties of its element and its content; without content, placeholders."""
    template = str(props["template"])
    layout = LAYOUTS.get(template, "lw-lines")
    reset = batch.get("reset") if batch else None
    row_html = CARDS.get(template)
    if reset is None or not reset["order"] or row_html is None:
        ghost = f'<div class="lw-ghost lw-ghost--{escape(template)}"><i></i><i></i><i></i></div>'
        ghosts = ghost * int(props["skeletons"])
        return f'<div class="lw-list" aria-busy="true"><div class="{layout}" aria-hidden="true">{ghosts}</div></div>'
    rows = "".join(row_html(id, reset["rows"][id], props["status-styles"], link) for id in reset["order"])
    many = " lw-cards--many" if len(reset["order"]) > RESTFUL else ""
    label = escape(str(props["label"]))
    return f'<div class="lw-list"><div class="{layout}{many}" role="list" aria-label="{label}">{rows}</div></div>'


RESTFUL = 24
"""Pulsing dots beyond this number rest, as in `live_list.js`."""


def stream_card(id: str, row: dict[str, Any], styles: Styles, link: Link) -> str:
    """Return the card of a stream; what depends on the reader's clock is left to the scripts."""
    style = styles.get(row["goal_status"], UNKNOWN)
    unit = "" if row["unit"] in (None, "B") else f" {escape(row['unit'])}"
    if row["percentage"] is not None:
        figures = (
            f"{_percent(row['percentage'], 'streams', id, 'percentage')}"
            f"<span><b>{_amount(row['completed'], row['unit'], 'streams', id, 'completed')}</b> / "
            f"{_amount(row['total'], row['unit'], 'streams', id, 'total')}{unit}</span>"
        )
    else:
        done = _amount(row["completed"], row["unit"], "streams", id, "completed")
        figures = f'<span class="lw-card__percent">{done} <small>{unit} done</small></span>'
    lines = "<li>&nbsp;</li>" * len(row["bars"] or ())
    bars = f'<ul class="lw-bars" aria-hidden="true">{lines}</ul>' if lines else ""
    foot = _error(row) or f'<span class="lw-clip">{escape(row["stream_type"] or "")}</span>'
    return (
        f'<div class="lw-card" role="listitem">{_head(row, style, row["goal_status"], link(f"/streams/{id}"))}'
        f'<div class="lw-card__figures lw-number">{figures}</div>{_bar(row["percentage"], style)}'
        f'{bars}<div class="lw-card__foot">{foot}</div></div>'
    )


def scan_card(id: str, row: dict[str, Any], styles: Styles, link: Link) -> str:
    """Return the card of a scan."""
    style = styles.get(row["status"], UNKNOWN)
    figures = (
        f"{_percent(row['progress_percentage'], SCANS.table, id, 'progress_percentage')}"
        f"<span><b>{_amount(row['targets_analyzed'], None, SCANS.table, id, 'targets_analyzed')}</b> of "
        f"{_amount(row['targets_identified'], None, SCANS.table, id, 'targets_identified')} analysed</span>"
    )
    return (
        f'<div class="lw-card" role="listitem">{_head(row, style, row["status"], link(f"{SCANS.path}?selected={id}"))}'
        f'<div class="lw-card__figures lw-number">{figures}</div>{_bar(row["progress_percentage"], style)}'
        f'<div class="lw-card__foot">{_error(row)}</div></div>'
    )


CARDS: dict[str, RowHtml] = {STREAMS.table: stream_card, SCANS.table: scan_card}


def _head(row: dict[str, Any], style: StatusStyleJson, status: str, href: str) -> str:
    name = escape(row["name"])
    tone = escape(style["tone"])
    pulse = " lw-dot--pulse" if style["pulse"] else ""
    return (
        f'<div class="lw-card__head"><span class="lw-dot{pulse}" data-tone="{tone}" aria-hidden="true"></span>'
        f'<a class="lw-card__name lw-card__link" dir="auto" href="{escape(href)}" title="{name}">{name}</a>'
        f'<span class="lw-badge" data-tone="{tone}"><i class="lw-icon notranslate" aria-hidden="true">'
        f'{escape(style["icon"])}</i><span dir="auto">{escape(style["label"] or status)}</span></span></div>'
    )


def _bar(value: float | None, style: StatusStyleJson) -> str:
    if value is None:
        unknown = " lw-bar__fill--unknown" if style["pulse"] else ""
        fill = f'<div class="lw-bar__fill{unknown}"></div>'
    else:
        # Slightly beyond the edge at 0, like the bar of the scripts.
        share = min(100.0, max(0.0, value)) or -1.0
        fill = f'<div class="lw-bar__fill" style="transform:translateX({share - 100:g}%)"></div>'
    return f'<div class="lw-bar" data-tone="{escape(style["tone"])}" aria-hidden="true">{fill}</div>'


def _percent(value: float | None, table: str, id: str, field: str) -> str:
    """A percentage, rounded down to tenths, in the plain English format; see `_amount`."""
    share = value or 0.0
    text = f"{share:.0f}%" if share in (0, 100) else f"{math.floor(share * 10 + 1e-6) / 10:.1f}%"
    return f'<span class="lw-card__percent" data-percent="{share}" {_marks(table, id, field, value)}>{text}</span>'


def _amount(value: float | None, unit: str | None, table: str, id: str, field: str) -> str:
    """A number in the plain English format, which the script replaces where the reader's is another.

    Bytes are left to the scripts, which know their units.
    """
    if unit == "B" or value is None:
        return "<span>…</span>"
    return f'<span data-number="{value}" {_marks(table, id, field, value)}>{plain_number(value)}</span>'


def plain_number(value: float) -> str:
    """Return a number with commas between thousands and at most three decimals, as browsers in English write it."""
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{Decimal(str(value)).quantize(THOUSANDTH, ROUND_HALF_UP):,f}"
    return text.rstrip("0").rstrip(".")


def _marks(table: str, id: str, field: str, value: float | None) -> str:
    return f'data-table="{table}" data-id="{id}" data-field="{field}" data-value="{value}"'


def _error(row: dict[str, Any]) -> str:
    return f'<span class="lw-clip lw-critical">{escape(row["error"])}</span>' if row["error"] else ""
