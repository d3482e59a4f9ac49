"""Parts of a range: they cover it without a gap, on the clock of a zone, also on the days when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.range_parts import GRAINS, MAX_PARTS, floor, month_ceiling, parts_of, week_ceiling

NOW = datetime(2026, 11, 27, 10, 7, 23, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "America/St_Johns",
    ]
)
MOMENTS = st.datetimes(datetime(1980, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))


@given(zone=ZONES, start=MOMENTS, seconds=st.integers(1, 20 * 365 * 86_400))
def test_parts_cover_the_range_without_a_gap(zone: str, start: datetime, seconds: int) -> None:
    end = start + timedelta(seconds=seconds)
    parts = parts_of(start, end, ZoneInfo(zone), now=NOW)
    width = GRAINS[parts.grain]
    assert parts.starts[0] <= start < parts.starts[0] + width
    assert parts.end - width < end <= parts.end
    assert len(parts.starts) <= MAX_PARTS + 3
    edges = [*parts.starts, parts.end]
    assert all(earlier < later for earlier, later in pairwise(edges))
    assert all(edge == floor(edge, width) for edge in edges), "each is a sum of roll-ups"
    if parts.grain == "day":
        assert {edge.weekday() for edge in edges[1:-1]} <= {0}, "weeks are rolled up from Monday on"
    for place, (low, high) in enumerate(pairwise(edges)):
        assert parts.bounds(place) == (low, high)
        assert parts.place_of(low) == parts.place_of(high - timedelta(microseconds=1)) == place


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_days_have_the_hours_of_the_zone(day: date, hours: int) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=BERLIN)
    start = (midnight - timedelta(days=5)).astimezone(UTC)
    parts = parts_of(start, start + timedelta(days=60), BERLIN, now=NOW)
    low, high = parts.bounds(parts.place_of(midnight.astimezone(UTC) + timedelta(hours=12)))
    assert low == midnight.astimezone(UTC)
    assert high - low == timedelta(hours=hours)


def test_the_hour_that_autumn_repeats_is_one_part() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=UTC)
    parts = parts_of(start, start + timedelta(days=2), BERLIN, now=NOW)
    widths = {high - low for low, high in pairwise([*parts.starts, parts.end])}
    assert widths == {timedelta(hours=1), timedelta(hours=2)}


@pytest.mark.parametrize(
    ("start", "grain"),
    [
        (NOW - timedelta(hours=1), "minute"),
        (NOW - timedelta(days=3), "quarter"),
        (NOW - timedelta(days=600), "day"),
        (datetime.min.replace(tzinfo=UTC), "day"),
        (NOW + timedelta(days=9), "minute"),
    ],
)
def test_the_grain_is_the_finest_that_the_database_has(start: datetime, grain: str) -> None:
    assert parts_of(start, NOW + timedelta(days=10), BERLIN, now=NOW).grain in (grain, "day")
    assert parts_of(start, max(NOW, start + timedelta(hours=1)), BERLIN, now=NOW).grain == grain


@given(moment=MOMENTS)
def test_weeks_begin_on_mondays_and_months_on_the_first(moment: datetime) -> None:
    week, month = week_ceiling(moment), month_ceiling(moment)
    assert moment <= week < moment + timedelta(days=7)
    assert (week.weekday(), week.timetz()) == (0, time(tzinfo=UTC))
    assert moment <= month < moment + timedelta(days=31)
    assert (month.day, month.timetz()) == (1, time(tzinfo=UTC))
    assert (week_ceiling(week), month_ceiling(month)) == (week, month)


@pytest.mark.parametrize("moment", [datetime.min, datetime.max])
def test_boards_reach_to_the_ends_of_time(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    parts = parts_of(moment, moment, ZoneInfo("UTC"), now=NOW)
    for each in (*parts.starts, parts.end):
        assert week_ceiling(each) >= each <= month_ceiling(each)
