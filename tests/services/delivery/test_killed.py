"""The process that applies rules and delivers is killed: nothing is lost, and what may be double is marked."""

from pathlib import Path

import pytest

from benchmarks.stage import own_world
from benchmarks.watching.killed import kill_and_count

pytestmark = pytest.mark.integration


async def test_every_event_arrives_at_least_once_however_often_the_process_is_killed(tmp_path: Path) -> None:
    async with own_world(tmp_path) as world:
        count, outcome = await kill_and_count(world, kills=4, events_between=10)
        assert len(outcome.told) == count == 40
        [[marked]] = await world.sql("select count(*) from deliveries where may_be_double")
        assert outcome.doubles <= marked
