"""Ranges of time: periods before now, times of a zone, and what is neither."""

from datetime import UTC, datetime, timedelta

import pytest

from services.period import EVERYTHING, PERIODS, Period

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize("period", PERIODS)
def test_every_offered_period_ends_now(period: str) -> None:
    found = Period.parse({"from": period})
    start, end = found.bounds(NOW)
    assert (found.moves, found.problem, end) == (True, "", None)
    assert start
    assert start < NOW
    assert found.includes(NOW, NOW)
    assert not found.includes(start - timedelta(seconds=1), NOW)
    assert not found.includes(None, NOW), "no row without a time"


def test_times_without_an_offset_are_of_the_zone() -> None:
    found = Period.parse({"from": "2026-11-26T10:00", "to": "2026-11-26T11:00+00:00", "zone": "Europe/Berlin"})
    assert found.bounds(NOW) == (datetime(2026, 11, 26, 9, tzinfo=UTC), datetime(2026, 11, 26, 11, tzinfo=UTC))
    assert found.params == {"from": "2026-11-26T10:00", "to": "2026-11-26T11:00+00:00", "zone": "Europe/Berlin"}
    assert not found.includes(datetime(2026, 11, 26, 11, tzinfo=UTC), NOW), "the end is not within"


@pytest.mark.parametrize(
    ("given", "utc"),
    [
        ("2026-03-29T02:30", "2026-03-29T01:30+00:00"),  # the hour that spring leaves out
        ("2026-10-25T02:30", "2026-10-25T00:30+00:00"),  # the first of the two
        ("2026-11-26", "2026-11-25T23:00+00:00"),
    ],
)
def test_days_on_which_clocks_change_have_their_times(given: str, utc: str) -> None:
    assert Period.parse({"from": given, "zone": "Europe/Berlin"}).bounds(NOW)[0] == datetime.fromisoformat(utc)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"from": "yesterday"}, "“yesterday” is not a time"),
        ({"from": "1h", "zone": "Mars/Base"}, ""),
        ({"from": "2026-11-26T10:00", "zone": "Mars/Base"}, "no time zone “Mars/Base”"),
        ({"from": "2026-11-26T10:00", "zone": "../../etc/passwd"}, "no time zone"),
        ({"from": "2026-11-26", "to": "2026-11-25"}, "ends before it begins"),
        ({"from": "99999999d"}, "is not a time"),
        ({"to": "0000-00-00"}, "is not a time"),
        ({"from": "9" * 5000}, "is not a time"),
        ({"from": "\0"}, "is not a time"),
    ],
)
def test_what_is_no_range_is_said_and_leaves_out_nothing(params: dict[str, str], said: str) -> None:
    found = Period.parse(params)
    assert said in found.problem
    assert bool(found.problem) is bool(said)
    if said:
        assert found.is_everything
        assert found.params == {}
        assert found.includes(NOW, NOW)


def test_a_zone_alone_is_no_range() -> None:
    assert Period.parse({"zone": "Europe/Berlin"}) == EVERYTHING


def test_a_range_in_the_future_is_one_that_nothing_is_in_yet() -> None:
    found = Period.parse({"from": "2999-01-01"})
    assert (found.problem, found.includes(NOW, NOW)) == ("", False)
