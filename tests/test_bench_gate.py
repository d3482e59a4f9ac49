"""What the gate of the benchmarks lets pass."""

import pytest

from benchmarks.gate import TOLERANCE, compare, ratios_of
from benchmarks.latency import Latency, first_shown


def latency(p50: float, p95: float) -> Latency:
    return Latency(windows=8, rate=100, changes=10, p50=p50, p95=p95, p99=p95, max=p95, lost=0, cpu="")


def test_ratios_are_multiples_of_the_floor() -> None:
    assert ratios_of([latency(4, 30)], [latency(2, 20)]) == {"8 windows, 100/s, p50": 2.0, "8 windows, 100/s, p95": 1.5}


@pytest.mark.parametrize(("now", "passes"), [(1.0, True), (2.0 * TOLERANCE, True), (2.0 * TOLERANCE + 0.01, False)])
def test_a_ratio_may_be_a_fifth_worse(now: float, passes: bool) -> None:
    assert (compare({"8 windows": now}, {"8 windows": 2.0}) == []) is passes


def test_a_ratio_that_was_not_measured_is_not_compared() -> None:
    assert compare({"new": 9.0}, {"gone": 1.0}) == []


def test_a_change_counts_until_its_value_or_a_later_one_is_shown() -> None:
    commits = [("a", 1, 100.0), ("a", 2, 110.0), ("b", 1, 120.0), ("a", 3, 130.0)]
    shown = [("a", 2, 115.0), ("b", 1, 119.0)]
    assert first_shown(commits, shown) == [15.0, 5.0, 0.0, None]
