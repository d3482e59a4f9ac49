"""Time series for charts, read as the signed-in user."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.history.progress_history import HISTORY_MINUTES, MAX_POINTS, last_hour, progress_history
from tests.world import World

pytestmark = pytest.mark.integration


async def a_stream_with_points(world: World, org: UUID, count: int) -> UUID:
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name, total) values (%s, %s, 'Long', %s)", stream, org, count)
    await world.sql("delete from progress_points where subject_id = %s", stream)
    await world.sql(
        """insert into progress_points (org_id, subject_id, at, done, whole)
           select %s, %s, now() - make_interval(secs => %s - n), n, %s from generate_series(1, %s) as n""",
        org, stream, count, count, count,
    )  # fmt: skip
    return stream


async def test_a_short_history_is_told_point_by_point(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = await a_stream_with_points(world, org, 5)
    points = await progress_history(world.database, ada.identity, stream)
    assert [point.done for point in points] == [1, 2, 3, 4, 5]
    assert {point.whole for point in points} == {5}
    assert points[-1].at - points[0].at == timedelta(seconds=4)


async def test_a_long_history_is_thinned_and_ends_with_the_last_point(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = await a_stream_with_points(world, org, 5000)
    points = await progress_history(world.database, ada.identity, stream)
    assert MAX_POINTS / 2 < len(points) <= MAX_POINTS
    assert points[-1].done == 5000
    assert [point.done for point in points] == sorted(point.done for point in points)


async def test_there_is_no_history_of_another_organisation(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve = await world.person(ours)
    stream = await a_stream_with_points(world, theirs, 5)
    assert await progress_history(world.database, eve.identity, stream) == []


async def test_the_last_hour_counts_what_ran_in_each_minute(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 's')", stream, org)
    await world.sql(
        """insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, started_at, completed_at)
           values (%s, %s, 'a', 'a', 'completed', date_trunc('minute', now()) - interval '9 min 30 s',
                   date_trunc('minute', now()) - interval '7 min 30 s'),
                  (%s, %s, 'a', 'a', 'running', now() - interval '2 min', null),
                  (%s, %s, 'a', 'a', 'completed', now() - interval '5 h', now() - interval '4 h')""",
        org, stream, org, stream, org, stream,
    )  # fmt: skip
    hour = await last_hour(world.database, ada.identity, org)
    assert len(hour.running_agents) == HISTORY_MINUTES
    now = datetime.now(UTC)
    if now.second < 58:  # else the minute may have turned in between
        assert hour.running_agents[-11:-7] == [1, 1, 1, 0]
    assert hour.running_agents[-1] == 1
    assert sum(hour.running_agents[:-11]) == 0


async def test_the_last_hour_of_another_organisation_is_empty(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve, member = await world.person(ours), await world.person(theirs)
    stream = uuid4()
    await world.sql("insert into streams (id, org_id, name, total) values (%s, %s, 's', 10)", stream, theirs)
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, started_at) "
        "values (%s, %s, 'a', 'a', 'running', now())",
        theirs, stream,
    )  # fmt: skip
    assert sum((await last_hour(world.database, member.identity, theirs)).running_agents) > 0
    assert sum((await last_hour(world.database, eve.identity, theirs)).running_agents) == 0
