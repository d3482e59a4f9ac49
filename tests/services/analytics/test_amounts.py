"""Sums of tokens and cost equal a recount of the points, whatever happens to them."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from pages.analytics.links import links_of
from services.analytics.amounts import AMOUNTS
from services.analytics.board import Board
from services.analytics.figures import figures_of, table_of
from services.analytics.reading import Reading, read_board
from services.errors import PermissionDenied
from services.ingest import IngestKey
from services.operations.upkeep.rollups import fold_rollups
from tests.pages.program import a_key, store_point
from tests.world import Person, World

pytestmark = pytest.mark.integration

NOW = datetime.now(UTC)
RECOUNT = """
    select grain, point.name, case grain when 'minute' then date_trunc('minute', at)
            when 'quarter' then date_bin('15 minutes', at, 'epoch') else date_trunc('day', at, 'UTC') end,
        kind, count(*), sum(value::numeric)
    from metric_points as point join run_metrics using (run_id, name)
    cross join unnest(array['minute', 'quarter', 'day']) as grain
    where point.org_id = %s and point.name in ('tokens', 'input_tokens', 'output_tokens', 'cost')
        and value not in ('NaN', 'Infinity', '-Infinity') and isfinite(at)
        and (grain <> 'minute' or at >= now() - interval '47 hours')
    group by 1, 2, 3, 4
"""
ROLLED = """
    select grain, name, at, kind, points, total from metric_rollups
    where org_id = %s and (grain <> 'minute' or at >= now() - interval '47 hours')
"""
NAMES = ("tokens", "input_tokens", "output_tokens", "cost", "loss")
KEYS: dict[UUID, IngestKey] = {}
VALUES = ("0", "0.1", "12", "-3.5", "1e-7", "123456789", "NaN", "Infinity", "-Infinity", "1.7e308")


async def a_run(world: World, org: UUID, name: str = "S", tags: str = "{t}") -> UUID:
    sql = "insert into acquisition_scans (org_id, name, status, tags) values (%s, %s, 'scanning', %s) returning id"
    ((run,),) = await world.sql(sql, org, name, tags)
    return UUID(str(run))


async def log(world: World, org: UUID, run: UUID, name: str, value: str, *, step: int = 0, at: object = NOW) -> None:
    if org not in KEYS:
        KEYS[org] = await a_key(world, org)
    await store_point(world, KEYS[org], f"scans/{run}", name, value, step=step, at=at)


async def equal_to_recount(world: World, org: UUID) -> int:
    while await fold_rollups(world.database):
        pass
    rolled = sorted(await world.sql(ROLLED, org))
    assert rolled == sorted(await world.sql(RECOUNT, org))
    return len(rolled)


async def read(world: World, person: Person, org: UUID, **params: str) -> Reading:
    board = Board.parse({"charts": "tokens,cost", **{name.rstrip("_"): value for name, value in params.items()}})
    assert not board.problem
    return await read_board(world.database, person.identity, org, board)


@pytest.mark.parametrize("seed", range(3))
async def test_sums_equal_a_recount_after_any_history(world: World, seed: int) -> None:
    dice = random.Random(seed)
    orgs = [await world.organization(), await world.organization()]
    runs = {org: [await a_run(world, org) for _ in range(3)] for org in orgs}
    for step in range(80):
        org = dice.choice(orgs)
        run = dice.choice(runs[org])
        match dice.randint(0, 9):
            case 0:
                await world.sql("delete from metric_points where run_id = %s and step < 3", run)
            case 1 if step % 3 == 0:
                await world.sql("delete from acquisition_scans where id = %s", run)
                runs[org][runs[org].index(run)] = await a_run(world, org)
            case 2:
                await fold_rollups(world.database, limit=dice.randint(1, 9))
            case _:
                at: object = NOW - timedelta(minutes=dice.choice([1, 90, 2000, 90_000]) * dice.random())
                at = dice.choice([at, at, at, "infinity"])
                await log(world, org, run, dice.choice(NAMES), dice.choice(VALUES), step=dice.randint(0, 5), at=at)
    assert await equal_to_recount(world, orgs[0]) > 5
    await equal_to_recount(world, orgs[1])


async def test_sums_hold_when_programs_replace_the_same_points_at_once(world: World) -> None:
    org = await world.organization()
    run = await a_run(world, org)
    await log(world, org, run, "loss", "0")
    for _ in range(3):
        values = (str(each) for each in range(1, 25))
        await asyncio.gather(*(log(world, org, run, "tokens", value, step=n % 3) for n, value in enumerate(values)))
    assert await equal_to_recount(world, org) == 3
    assert await world.sql("select points from metric_rollups where org_id = %s and grain = 'day'", org) == [(3,)]


async def test_a_filter_reads_the_same_from_the_points(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run, other = await a_run(world, org), await a_run(world, org, "Other", "{u,t}")
    for step in range(30):
        at = NOW - timedelta(minutes=11 * step)
        await log(world, org, run, "cost", "0.1", step=step, at=at)
        await log(world, org, other, "tokens", "100", step=step, at=at)
        if step == 15:
            await fold_rollups(world.database)
    for start in ("1h", "24h", "7d", "all"):
        rolled, filtered = [await read(world, ada, org, from_=start, **more) for more in ({}, {"tag": "t"})]
        assert rolled.amounts
        assert filtered.amounts == rolled.amounts, start
    alone = await read(world, ada, org, from_="7d", kind="scans", tag="u")
    assert {name for _, _, name in alone.amounts} == {"tokens"}
    assert sum(alone.amounts.values()) == 3000
    assert not (await read(world, ada, org, from_="7d", kind="agents")).amounts


async def test_what_was_not_reported_is_no_zero_and_huge_sums_stay_numbers(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    run = await a_run(world, org)
    board = Board.parse({"charts": "tokens,cost", "from": "24h"})
    tokens, cost = figures_of(board, await read(world, ada, org, from_="24h"))
    assert (tokens.series, cost.series) == ((), ())
    await log(world, org, run, "cost", "NaN")
    assert not (await read(world, ada, org, from_="24h")).amounts, "no number is no cost"
    for step in range(3):
        await log(world, org, run, "input_tokens", "1.7e308", step=step, at=NOW - timedelta(minutes=5))
    await log(world, org, run, "cost", "0", at=NOW - timedelta(minutes=5))
    reading = await read(world, ada, org, from_="24h")
    tokens, cost = figures_of(board, reading)
    assert [(each.key, max(filter(None, each.values))) for each in tokens.series] == [
        ("input_tokens", 1.7976931348623157e308)
    ]
    (series,) = cost.series
    assert {value for value in series.values} == {None, 0}
    place = series.values.index(0)
    (link,) = links_of(board, reading, "cost", "cost", place)
    assert link.path.startswith("/monitoring/scans?to=")
    assert links_of(board, reading, "cost", "cost", place - 5) == []
    columns, rows = table_of(cost)
    assert list(columns) == ["From", "Cost"]
    assert rows[place][1] == 0


async def test_only_members_read_sums_and_only_their_own(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    await log(world, org, await a_run(world, org), "cost", "5", at=NOW - timedelta(minutes=5))
    await fold_rollups(world.database)
    await log(world, org, await a_run(world, org), "cost", "6", at=NOW - timedelta(minutes=5))
    await a_run(world, other)
    assert sum((await read(world, ada, org)).amounts.values()) == 11
    assert not (await read(world, eve, other)).amounts
    with pytest.raises(PermissionDenied):
        await read(world, eve, org)
    for table in ("metric_rollups", "metric_rollup_changes"):
        assert await world.database.call(eve.identity, f"select count(*) from public.{table}", {}) == 0
        assert await world.database.call(ada.identity, f"select count(*) from public.{table}", {}) > 0


async def test_what_retention_deletes_goes_on_counting_and_truncation_forgets(world: World) -> None:
    org = await world.organization()
    run = await a_run(world, org)
    await log(world, org, run, "cost", "5")
    await equal_to_recount(world, org)
    await world.sql(
        "with kept as (select set_config('livewatch.keeps_counts', 'on', true)) "
        "delete from acquisition_scans using kept where id = %s", run,
    )  # fmt: skip
    await fold_rollups(world.database)
    assert await world.sql("select total from metric_rollups where org_id = %s and grain = 'day'", org) == [(5,)]
    await log(world, org, await a_run(world, org), "cost", "7")
    await world.sql("truncate run_metrics cascade")
    assert not await world.sql("select 1 from metric_rollups union all select 1 from metric_rollup_changes")


async def test_the_database_sums_the_metrics_of_the_charts(world: World) -> None:
    ((names,),) = await world.sql("select private.summed_metrics()")
    assert sorted(names) == sorted(name for each in AMOUNTS.values() for name in each)
