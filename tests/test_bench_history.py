"""The benchmark of history runs through at a small scale: each query finds rows, and its plans are written."""

import asyncio
import re
from argparse import Namespace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.history.__main__ import measured, new_key, stage
from benchmarks.history.measuring import Times, sizes
from benchmarks.history.queries import QUERIES
from benchmarks.history.scene import set_scene
from benchmarks.organisation.__main__ import filled

SCALE = 0.001


async def test_each_query_of_history_finds_rows_of_its_organisation_and_is_explained() -> None:
    # Outside of pytest's own folder, which is not accessible to PostgreSQL's user if pytest runs as root.
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as name:
        data, plans = Path(name) / "data", Path(name) / "plans"
        async with stage(data) as (local, database, identity):
            organisation = await asyncio.to_thread(filled, local.status, data, SCALE, 1)
            await asyncio.to_thread(filled, local.status, data, 2 * SCALE, 2)
            key = await new_key(database, identity, organisation.id)
            scene = await set_scene(database, identity, key, organisation)
            arguments = Namespace(explain=plans, runs=2, reports=20, scale=SCALE)
            found = {times.name: times for times in await measured(scene, QUERIES, arguments)}
            shown = await sizes(local.status.database_url.get_secret_value())
            written = {path.name: path.read_text() for path in plans.iterdir()}
    for query in QUERIES:
        assert (found[query.name].rows > 0) is query.finds, query.name
        assert len(found[query.name].milliseconds) == 2
    assert found["feed: streams"].rows == organisation.counts["streams"]
    assert found["feed: agents"].rows == organisation.counts["agent_executions"]
    assert found["logs: rare word"].rows == 3
    assert len(found[f"begin a run, scale {SCALE}"].milliseconds) == 20
    assert len(written) == len(QUERIES)
    assert all("actual time" in text and "Buffers" in text for text in written.values())
    assert "org_id = (hashed SubPlan" in written["feed-streams.txt"]
    assert re.search(r"Index Cond: .*(completed|updated)_at >=", written["last-hour.txt"])
    assert "log_lines_errors_idx" in written["logs-absent-word-among-errors.txt"]
    assert "| log_lines |" in shown


@pytest.mark.parametrize(("share", "milliseconds"), [(0.5, 50), (0.95, 95), (0.99, 99), (1, 100)])
def test_a_quantile_is_the_time_that_so_many_runs_did_not_exceed(share: float, milliseconds: float) -> None:
    times = Times(name="x", rows=1, milliseconds=[float(number) for number in range(1, 101)])
    assert times.quantile(share) == milliseconds
