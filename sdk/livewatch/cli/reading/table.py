"""Tables for terminals: aligned also with wide and right-to-left characters, and not wider than the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from livewatch.cli.escapes import plain

MIN_COLUMNS = 8
GAP = "  "
FIRST_STRONG_ISOLATE, POP_ISOLATE = "\u2068", "\u2069"


def printable(value: object) -> str:
    """Return a text on one line that does not move the cursor, colour what follows it, or turn its order."""
    return plain(str(value))


def width_of(text: str) -> int:
    """Return the number of columns that a text takes (https://www.unicode.org/reports/tr11/)."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def cut(text: str, width: int) -> str:
    """Return a text that is no wider than `width` columns."""
    if width_of(text) <= width:
        return text
    taken, used = "", 0
    for each in text:
        used += _columns(each)
        if used > width - 1:
            break
        taken += each
    return f"{taken}…"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, width: int | None, flexible: int) -> list[str]:
    """Return the lines of a table.

    Args:
        headings: One for each column.
        rows: Cells, as `printable` returns them.
        width: Columns of the terminal; None for a file, in which nothing is cut.
        flexible: Column that is cut first where the terminal is too narrow.
    """
    widths = [max(width_of(row[n]) for row in (headings, *rows)) for n in range(len(headings))]
    if width is not None:
        for n in (flexible, *reversed(range(len(widths)))):
            excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
            if excess > 0:
                widths[n] = max(min(MIN_COLUMNS, widths[n]), widths[n] - excess)
    return [
        GAP.join(_cell(row[n], widths[n], is_isolated=width is not None) for n in range(len(widths))).rstrip()
        for row in (headings, *rows)
    ]


def _cell(text: str, width: int, *, is_isolated: bool) -> str:
    shown = cut(text, width)
    padding = " " * (width - width_of(shown))
    if is_isolated and any(unicodedata.bidirectional(each) in ("R", "AL") for each in shown):
        # Otherwise a terminal would turn the order of the cells around it, too.
        shown = f"{FIRST_STRONG_ISOLATE}{shown}{POP_ISOLATE}"
    return shown + padding


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
