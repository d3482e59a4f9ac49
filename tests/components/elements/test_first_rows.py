"""Rows of a list in the first paint: figures, placeholders, and texts from strangers."""

import re
from typing import Any
from uuid import UUID

import pytest

from components.elements.lists.first_rows import first_rows, plain_number
from components.elements.lists.live_list import status_styles_of
from components.presentation.rows import presenter
from services.entities import AGENTS, SCANS, STREAMS, AcquisitionScan, Entity, GoalStatus, Stream

NOBODY = UUID(int=1)
HOSTILE = "\"><script>alert(1)</script>'&"


def props(entity: Entity[Any]) -> dict[str, Any]:
    return {
        "template": entity.table,
        "skeletons": 3,
        "label": entity.label,
        "status-styles": status_styles_of(entity),
    }


def html_of(entity: Entity[Any], row: Any) -> str:
    fields = presenter(entity)(row)
    batch: Any = {"reset": {"order": [str(row.id)], "rows": {str(row.id): fields}}}
    return first_rows(props(entity), batch, lambda path: f"/watch{path}")


@pytest.mark.parametrize("batch", [None, {"reset": {"order": [], "rows": {}}}, {"set": {}}])
def test_rows_that_are_not_known_are_placeholders_and_not_none(batch: Any) -> None:
    html = first_rows(props(STREAMS), batch, str)
    assert html.count("lw-ghost--streams") == 3
    assert 'aria-busy="true"' in html
    assert STREAMS.empty.text not in html


def test_lines_are_placeholders_too() -> None:
    batch: Any = {"reset": {"order": ["a"], "rows": {"a": {}}}}
    assert first_rows(props(AGENTS), batch, str).count("lw-ghost--agent_executions") == 3


def test_a_card_has_its_figures_and_leads_below_the_prefix() -> None:
    stream = Stream(org_id=NOBODY, name="Rows", completed=1234.5, total=2469, percentage=50, unit="rows")
    html = html_of(STREAMS, stream)
    assert f'href="/watch/streams/{stream.id}"' in html
    assert 'data-field="completed" data-value="1234.5">1,234.5<' in html
    assert re.search(r'data-percent="50[^>]*>50\.0%<', html)
    assert "translateX(-50%)" in html
    assert "rows" in html


NUMBERS = {
    0: "0",
    999: "999",
    -1234: "-1,234",
    10**15: "1,000,000,000,000,000",
    1234.5: "1,234.5",
    20.0: "20",
    1.0005: "1.001",
}


@pytest.mark.parametrize(("value", "text"), NUMBERS.items())
def test_numbers_are_those_of_an_english_browser(value: float, text: str) -> None:
    assert plain_number(value) == text


@pytest.mark.parametrize("percentage", [0, 100, 250, None])
def test_a_bar_is_within_its_frame_at_any_share(percentage: int | None) -> None:
    stream = Stream(org_id=NOBODY, name="a", total=0 if percentage is None else 9, percentage=percentage)
    html = html_of(STREAMS, stream)
    expected = {0: "translateX(-101%)", 100: "translateX(0%)", 250: "translateX(0%)", None: 'class="lw-bar__fill'}
    assert expected[percentage] in html


def test_texts_of_strangers_are_texts() -> None:
    stream = Stream(
        org_id=NOBODY, name=HOSTILE, stream_type=HOSTILE, unit=HOSTILE, total=9, goal_status=GoalStatus.BLOCKED
    )
    stream.error = HOSTILE
    for html in (
        html_of(STREAMS, stream),
        html_of(STREAMS, Stream(org_id=NOBODY, name="a", stream_type=HOSTILE, unit=HOSTILE)),
        html_of(SCANS, AcquisitionScan(org_id=NOBODY, name=HOSTILE, current_step=HOSTILE)),
    ):
        assert "<script" not in html
        assert "&lt;script" in html
