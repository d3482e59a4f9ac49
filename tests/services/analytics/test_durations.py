"""Quantiles from bins are near those of the durations themselves, by the database's own bins."""

import math
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analytics.durations import GAMMA, UNKNOWN_BIN, middle_of, quantile
from tests.world import World


def bin_of(milliseconds: float) -> int:
    return math.ceil(math.log(max(milliseconds, 1.0)) / math.log(GAMMA))


@given(st.lists(st.floats(1.0, 1e12), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_4_per_cent(durations: list[float], share: float) -> None:
    found = quantile(Counter(map(bin_of, durations)), share)
    exact = sorted(durations)[math.ceil(share * len(durations) - 1e-9) - 1]
    assert found is not None
    assert abs(found / exact - 1) < 0.0401


def test_runs_without_a_duration_are_left_out() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({UNKNOWN_BIN: 9}, 0.5) is None
    assert quantile({UNKNOWN_BIN: 9, 100: 1}, 0.5) == middle_of(100)


@pytest.mark.integration
async def test_the_database_has_the_same_bins(world: World) -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    lengths = [timedelta(milliseconds=ms) for ms in (0, 0.4, 1, 2, 3.5, 999, 60_000, 3_600_000, 86_400_000 * 365)]
    for length in lengths:
        ((bin,),) = await world.sql("select private.duration_bin(%s, %s)", began, began + length)
        assert bin == bin_of(length / timedelta(milliseconds=1)), length
    for start, end in (
        ("null", "now()"),
        ("now()", "now() - interval '1 s'"),
        ("'-infinity'", "now()"),
        ("now()", "null"),
    ):
        assert await world.sql(f"select private.duration_bin({start}, {end})") == [(UNKNOWN_BIN,)]
