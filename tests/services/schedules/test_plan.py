"""Plans: due times over changes of the clock, months and years, and what is no plan."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from services.errors import NotAccepted
from services.schedules.plan import DueTime, Plan

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = {"expect": "30 2 * * *", "zone": "Europe/Berlin", "grace": "30m"}


def due_times(plan: Plan, start: datetime, count: int) -> list[str]:
    """Return due times after a start, in Berlin."""
    found: list[DueTime] = []
    for _ in range(count):
        due = plan.first_after(found[-1].at if found else start)
        assert due is not None
        found.append(due)
    return [f"{due.at.astimezone(BERLIN):%m-%d %H:%M%z}" for due in found]


def test_what_the_clock_skips_in_spring_is_due_right_after_the_gap() -> None:
    start = datetime(2026, 3, 28, 12, tzinfo=BERLIN)
    assert due_times(Plan.parse(NIGHTLY), start, 2) == ["03-29 03:00+0200", "03-30 02:30+0200"]


def test_what_the_clock_repeats_in_autumn_is_due_once() -> None:
    start = datetime(2026, 10, 24, 12, tzinfo=BERLIN)
    assert due_times(Plan.parse(NIGHTLY), start, 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_hourly_lines_follow_the_hours_that_pass() -> None:
    plan = Plan.parse({"expect": "0 * * * *", "zone": "Europe/Berlin"})
    for start in (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 24, 23, 30, tzinfo=UTC)):
        first, second = plan.first_after(start), plan.first_after(start + timedelta(hours=1))
        assert first is not None
        assert second is not None
        assert second.at - first.at == timedelta(hours=1)


def test_a_year_of_nights_has_as_many_due_times_as_days_and_never_two_within_22_hours() -> None:
    plan, at, times = Plan.parse(NIGHTLY), datetime(2026, 1, 1, tzinfo=BERLIN), []
    while (due := plan.first_after(at)) and due.at < datetime(2027, 1, 1, tzinfo=BERLIN):
        times.append(at := due.at)
    assert len(times) == 365
    assert min(later - earlier for earlier, later in pairwise(times)) >= timedelta(hours=22)


def test_a_leap_day_is_due_every_four_years() -> None:
    due = Plan.parse({"expect": "0 0 29 2 *"}).first_after(datetime(2026, 1, 1, tzinfo=UTC))
    assert due is not None
    assert due.at == datetime(2028, 2, 29, tzinfo=UTC)


def test_a_run_a_minute_early_is_the_one_that_is_due_and_one_much_earlier_is_not() -> None:
    plan = Plan.parse({"expect": "0 2 * * *"})
    due = plan.first_after(datetime(2026, 5, 1, tzinfo=UTC))
    assert due is not None
    assert due.opens_at == datetime(2026, 5, 1, 1, 59, tzinfo=UTC)
    following = plan.next_due(now=due.at, due_at=due.at, met_at=due.opens_at, is_late=False)
    assert following is not None
    assert following.at == datetime(2026, 5, 2, 2, tzinfo=UTC)


def test_an_interval_counts_from_the_last_beginning() -> None:
    plan, began = Plan.parse({"expect": "1h", "grace": "5m"}), datetime(2026, 5, 1, 10, 20, tzinfo=UTC)
    due = plan.next_due(now=began, due_at=began - timedelta(minutes=20), met_at=began, is_late=False)
    assert due is not None
    assert (due.at, due.late_at) == (began + timedelta(hours=1), began + timedelta(hours=1, minutes=5))
    missed = plan.next_due(now=due.late_at, due_at=due.at, met_at=None, is_late=True)
    assert missed is not None
    assert missed.at == began + timedelta(hours=2)


def test_after_a_long_absence_one_due_time_is_asked_for_and_not_all() -> None:
    now = datetime(2026, 5, 20, 12, tzinfo=UTC)
    for expect in ("0 2 * * *", "1d"):
        plan = Plan.parse({"expect": expect, "grace": "1h"})
        due = plan.next_due(now=now, due_at=datetime(2026, 5, 1, 2, tzinfo=UTC), met_at=None, is_late=True)
        assert due is not None
        assert due.late_at > now


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"expect": ""}, "a cron line such as"),
        ({"expect": "0 2 * *"}, "4 fields"),
        ({"expect": "0 25 * * *"}, "“0 25 * * *” is wrong"),
        ({"expect": "0 0 30 2 *"}, "“0 0 30 2 *” is wrong"),
        ({"expect": "* " * 150}, "at most 200 characters"),
        ({"expect": "soon"}, "“soon” is no duration"),
        ({"expect": "5s"}, "“5s” is not between"),
        ({"expect": "900d"}, "“900d” is not between"),
        ({"expect": "0 2 * * *", "zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"expect": "0 2 * * *", "grace": "2 weeks"}, "“2 weeks” is no duration"),
        ({"expect": "0 2 * * *", "max": "-1h"}, "“-1h” is no duration"),
        ({"expect": "0 * * * *", "grace": "90m"}, "grace of 1h30m is longer than the 1h"),
        ({"expect": "15m", "grace": "16m"}, "longer than the 15m"),
    ],
)
def test_what_is_no_plan_is_refused_by_its_value(given: dict[str, str], part: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        Plan.parse(given)
    assert part in str(refused.value)
