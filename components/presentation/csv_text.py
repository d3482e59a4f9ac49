"""Text of CSV files."""

import csv
import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

CSV_TYPE = "text/csv; charset=utf-8"
# Spreadsheets evaluate a cell as a formula that begins with one of these, also in full width, and after characters that
# nobody sees: blanks, control and formatting characters.
FORMULA_PREFIXES = frozenset("=+-@")
INVISIBLE = frozenset({"Cc", "Cf"})
LINE_BREAKS = ("\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"
"""Makes spreadsheets read the file as UTF-8."""


def csv_text(rows: Iterable[Iterable[object]], *, is_first: bool = False) -> str:
    """Return rows as CSV; times are in ISO 8601, UTC, structured values in JSON, and no cell is a formula.

    Args:
        rows: The cells of each row.
        is_first: Whether the file begins with them.
    """
    file = io.StringIO()
    csv.writer(file).writerows([_cell(value) for value in row] for row in rows)
    return (BYTE_ORDER_MARK if is_first else "") + file.getvalue()


def download_headers(name: str, *, kind: str = "csv") -> dict[str, str]:
    """Return the headers of a download with a name, the present time and the ending `kind`."""
    stamp = f"{datetime.now(UTC):%Y-%m-%d-%H%M}"
    return {"Content-Disposition": f'attachment; filename="{name}-{stamp}.{kind}"', "Cache-Control": "no-store"}


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, bool | StrEnum):
        return str(value)
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _json(value)
    return f"'{text}" if _is_formula(text) else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | Sequence) else str(value)


def _is_formula(text: str) -> bool:
    if text.startswith(LINE_BREAKS):
        return True
    first = next((each for each in text if not each.isspace() and unicodedata.category(each) not in INVISIBLE), "")
    return unicodedata.normalize("NFKC", first)[:1] in FORMULA_PREFIXES
