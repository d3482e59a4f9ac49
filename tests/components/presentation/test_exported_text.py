"""Text of exported files: a spreadsheet evaluates no cell, and every value survives the way there."""

import csv
import io
import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from components.presentation.csv_text import csv_text
from components.presentation.json_text import json_line

STARTS = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20 \u00a0\u3000\ufeff\u200b'\"a0"
texts = st.text(max_size=20) | st.builds(
    lambda start, rest: start + rest, st.text(STARTS, min_size=1, max_size=4), st.text(max_size=8)
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def is_evaluated(cell: str) -> bool:
    """Whether a spreadsheet would evaluate a cell: by its first visible character, also a full-width one."""
    visible = [each for each in cell if not each.isspace() and unicodedata.category(each) not in ("Cc", "Cf", "Zs")]
    begins = unicodedata.normalize("NFKC", visible[0])[:1] if visible else ""
    return begins in tuple("=+-@") or cell[:1] in tuple("\t\r\n")


@given(st.lists(texts, min_size=1, max_size=4))
def test_no_cell_is_a_formula_and_no_character_is_lost(row: list[str]) -> None:
    [found] = cells(csv_text([row]))
    for cell, text in zip(found, row, strict=True):
        assert not is_evaluated(cell), cell
        assert cell in (text, f"'{text}")
        assert cell == text or is_evaluated(text), "what is no formula is not changed"


@given(st.dictionaries(texts, values, max_size=4) | st.lists(values, max_size=4))
def test_a_structured_cell_is_json(value: Any) -> None:
    [[found]] = cells(csv_text([[value]]))
    assert json.loads(found) == value


def test_a_file_begins_with_a_byte_order_mark_once() -> None:
    assert csv_text([["a"]], is_first=True).encode().startswith(b"\xef\xbb\xbfa")
    assert not csv_text([["a"]]).startswith("\ufeff")


@given(st.lists(values, min_size=3, max_size=3))
def test_a_json_row_is_one_line_with_its_values(row: list[Any]) -> None:
    names = ["a", "b", "c"]
    line = json_line(names, row)
    assert "\n" not in line
    assert json.loads(line) == dict(zip(names, row, strict=True))


def test_what_json_lacks_has_a_form_of_its_own() -> None:
    line = json_line(["at", "rate", "half"], [datetime(2026, 1, 2, tzinfo=UTC), float("inf"), "\ud800"])
    assert json.loads(line) == {"at": "2026-01-02T00:00:00.000+00:00", "rate": None, "half": "\ufffd"}
    assert line.encode()
