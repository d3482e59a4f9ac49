"""When figures of rules are due: ladders, times of day and their clocks, and figures that are none."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import NotAccepted
from services.rules.clocks import Clocks, Judged, clock_times, source_of
from services.rules.listener import Listener
from services.rules.rule import Rule, RuleEvent

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)


def listener(changed_at: datetime = BEGAN, **more: Any) -> Listener:
    rule = Rule.parse({"name": "R", "events": ["overlong", "behind", "absent"], "roles": ["viewer"]} | FIGURES | more)
    return Listener(id=str(uuid4()), rule=rule, created_at=BEGAN, changed_at=changed_at, snoozed_until=None)


FIGURES = {"times": 2, "percent": 50, "after": "1h", "absent": "1d"}


def judged(**more: Any) -> Judged:
    of: dict[str, Any] = {
        "kind": "streams", "job": "nightly", "tags": ("prod",), "began": BEGAN, "usual_seconds": 100.0, "is_job": False,
        "judged_at": None, "changed_from": None,
    }  # fmt: skip
    return Judged(**(of | more))


@given(
    times=st.lists(st.floats(1.1, 100), min_size=1, max_size=20),
    looks=st.lists(st.integers(0, 20_000), min_size=1, max_size=20),
    usual=st.one_of(st.floats(0, 1000), st.just(1e300)),
)
def test_each_figure_is_due_in_exactly_one_look_and_the_next_is_never_late(
    times: list[float], looks: list[int], usual: float
) -> None:
    clocks = Clocks(listener(events=["overlong"], times=each) for each in times)
    found, judged_at = [], None
    for seconds in sorted({*looks}):
        now, run = BEGAN + timedelta(seconds=seconds), judged(usual_seconds=usual, judged_at=judged_at)
        due = clocks.due(run, now)
        found += [each.rule.limits.times or 0.0 for _, each in due]
        judged_at = now
        upcoming = clocks.next(run, now)
        left = [each * max(usual, 0.001) for each in times if each * max(usual, 0.001) > seconds + 0.001]
        assert upcoming is None or upcoming >= now - timedelta(milliseconds=1)
        if left and min(left) < 1e6:
            assert upcoming is not None
            assert upcoming <= BEGAN + timedelta(seconds=min(left) + 0.001)
    unit, last = max(usual, 0.001), max(looks)
    assert sorted(found) == sorted(each for each in times if each <= last / unit)


def test_a_rule_that_changed_is_judged_again_and_others_are_not() -> None:
    old, new = listener(), listener(changed_at=BEGAN + timedelta(hours=2))
    clocks = Clocks([old, new])
    now = BEGAN + timedelta(hours=3)
    run = judged(judged_at=BEGAN + timedelta(hours=2, minutes=30), changed_from=BEGAN + timedelta(hours=2))
    assert {each.id for _, each in clocks.due(run, now)} == {new.id}


def test_rules_of_other_jobs_and_kinds_are_not_looked_at() -> None:
    clocks = Clocks([listener(job="other"), listener(kinds=["scans"]), listener(agent="a"), listener(tag="test")])
    assert clocks.due(judged(), BEGAN + timedelta(days=1)) == []
    both = Clocks([listener(events=["behind"], tag="test,prod")])
    assert len(both.due(judged(tags=("prod", "test")), BEGAN + timedelta(days=1))) == 1
    assert clocks.next(judged(), BEGAN) is None


def test_a_job_is_judged_by_its_absence_alone_and_a_run_never_is() -> None:
    clocks, now = Clocks([listener()]), BEGAN + timedelta(days=2)
    assert [event for event, _ in clocks.due(judged(is_job=True, usual_seconds=None), now)] == [RuleEvent.ABSENT]
    assert {event for event, _ in clocks.due(judged(), now)} == {RuleEvent.OVERLONG, RuleEvent.BEHIND}
    assert {event for event, _ in clocks.due(judged(usual_seconds=None), now)} == {RuleEvent.BEHIND}


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        # Berlin skips 02:30 on 29 March 2026, and has it twice on 25 October.
        (datetime(2026, 3, 28, 12, tzinfo=UTC), ["2026-03-29T01:30:00+00:00", "2026-03-30T00:30:00+00:00"]),
        (datetime(2026, 10, 24, 12, tzinfo=UTC), ["2026-10-25T00:30:00+00:00", "2026-10-26T01:30:00+00:00"]),
    ],
)
def test_a_time_of_day_comes_once_on_days_on_which_the_clocks_change(day: datetime, expected: list[str]) -> None:
    found = clock_times("Europe/Berlin", time(2, 30), day, day + timedelta(days=2))
    assert [each.isoformat() for each in found] == expected
    clocks = Clocks([listener(events=["behind"], after="02:30", zone="Europe/Berlin")])
    assert [
        minute
        for minute in range(48 * 60)
        if clocks.due(
            judged(began=day - timedelta(days=1), judged_at=day + timedelta(minutes=minute - 1)),
            day + timedelta(minutes=minute),
        )
    ] == [round((each - day).total_seconds() / 60) for each in found]


def test_a_time_of_day_that_was_before_the_beginning_is_not_due() -> None:
    clocks = Clocks([listener(events=["behind"], after="06:00")])
    began = datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    assert clocks.due(judged(began=began), began + timedelta(hours=23)) == []
    assert len(clocks.due(judged(began=began), began + timedelta(hours=24))) == 1
    assert clocks.next(judged(began=began), began) == datetime(2026, 3, 2, 6, tzinfo=UTC)


@pytest.mark.parametrize("times", ["", None, "nan", "inf", "-inf", "1e308", 1e308, 1, 1.09, 100.1, "two", "0x10"])
def test_a_number_of_times_that_is_none_is_refused(times: object) -> None:
    with pytest.raises(NotAccepted, match=r"a number from 1\.1 to 100"):
        listener(times=times)


@pytest.mark.parametrize(
    "wrong",
    [
        {"percent": "nan"}, {"percent": 0}, {"percent": 100.1}, {"percent": ""}, {"after": ""}, {"after": "59s"},
        {"after": "31d"}, {"after": "24:00"}, {"after": "6:99"}, {"after": "soon"}, {"absent": "59s"},
        {"absent": "401d"}, {"absent": ""}, {"zone": "Mars/Phobos"},
        {"after": "06:00", "zone": "Mars/Phobos"}, {"after": "9" * 400},
    ],
)  # fmt: skip
def test_figures_that_are_none_are_refused_with_a_sentence(wrong: dict[str, Any]) -> None:
    with pytest.raises(NotAccepted) as refused:
        listener(**wrong)
    assert str(refused.value).endswith(".")


@pytest.mark.parametrize("after", ["06:00", "2h", "30d", "1m"])
def test_figures_are_read_back_as_they_were_stored_and_only_with_their_events(after: str) -> None:
    rule = listener(after=after, zone="Europe/Berlin").rule
    again = Rule.of_record({"name": "R", "events": sorted(rule.events), "definition": rule.definition})
    assert again.limits == rule.limits
    assert Rule.parse({"name": "R", "events": ["failed"], "roles": ["viewer"]} | FIGURES).limits.definition == {
        "times": None, "percent": None, "after": "", "absent": "",
    }  # fmt: skip


def test_what_makes_an_event_one_is_the_attempt_or_the_absence() -> None:
    run, job, other = uuid4(), judged(is_job=True), judged(is_job=True, began=BEGAN + timedelta(seconds=1))
    assert source_of(RuleEvent.OVERLONG, run, judged(), 1) != source_of(RuleEvent.OVERLONG, run, judged(), 2)
    assert source_of(RuleEvent.OVERLONG, run, judged(), 1) != source_of(RuleEvent.BEHIND, run, judged(), 1)
    assert source_of(RuleEvent.ABSENT, run, job, None) != source_of(RuleEvent.ABSENT, run, other, None)
