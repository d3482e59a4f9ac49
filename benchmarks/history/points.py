"""What sums of tokens and cost add to reports of points: `python -m benchmarks.history.points [--batches 1000]`."""

import argparse
import asyncio
import random
import re
import tempfile
import time
from pathlib import Path

import psutil
import psycopg

from benchmarks.__main__ import commit
from benchmarks.history.__main__ import new_key, new_organization, stage
from benchmarks.history.beginnings import UNLIMITED
from benchmarks.history.measuring import HEAD, Times
from services.infra.rate_limiter import RateLimiter
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import Operation, Target
from services.ingest.reports import Answer, Ingest

BLOCK = 50
"""Batches of one run, before the other function takes its turn."""

STEPS = 25
NAMES = {
    "other names": ("loss", "accuracy", "rate", "norm"),
    "half are summed": ("tokens", "cost", "loss", "rate"),
    "all are summed": ("tokens", "input_tokens", "output_tokens", "cost"),
}
INDEX = "metric_points_summed_idx"
FUNCTION = "private.store_metrics"


async def main() -> None:
    """Measure batches of 100 points with the sums and their index, and without; print a table for the document."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history.points", description=__doc__)
    parser.add_argument("--batches", type=int, default=1_000, help="batches of each kind (default: 1000)")
    arguments = parser.parse_args()
    print(f"Commit {commit()}, load average {psutil.getloadavg()[0]:.1f} before the start\n")
    with tempfile.TemporaryDirectory(prefix="livewatch-points-", ignore_cleanup_errors=True) as name:
        async with stage(Path(name) / "data") as (local, database, identity):
            key = await new_key(database, identity, await new_organization(local, identity))
            ingest = Ingest(database, ApiKeyVerifier(database), RateLimiter(UNLIMITED))
            url = local.status.database_url.get_secret_value()
            async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
                await measured(connection, ingest, key, arguments.batches)


async def measured(connection: psycopg.AsyncConnection, ingest: Ingest, key: IngestKey, batches: int) -> None:
    """Take turns with and without the sums, and print the times and PostgreSQL's seconds on a core."""
    with_sums = {"function": await _text(connection, "select pg_get_functiondef(%s::regproc)", FUNCTION)}
    with_sums["index"] = await _text(connection, "select pg_get_indexdef(%s::regclass)", INDEX)
    without = _without_sums(with_sums["function"])
    times: dict[str, list[float]] = {}
    seconds: dict[str, float] = {}
    for block in range(max(1, batches // BLOCK)):
        for has_sums in (False, True):
            await connection.execute(f"drop index if exists {INDEX}")
            await connection.execute(with_sums["function"] if has_sums else without)
            if has_sums:
                await connection.execute(with_sums["index"])
            for kind, names in NAMES.items():
                name = f"100 points, {kind}, {'with' if has_sums else 'without'} sums"
                slug = f"run-{block}-{len(name)}-{kind.partition(' ')[0]}"
                await _report(ingest, key, slug, names, 5)
                began = _postgres_seconds()
                times.setdefault(name, []).extend(await _report(ingest, key, slug, names, BLOCK))
                seconds[name] = seconds.get(name, 0.0) + _postgres_seconds() - began
    print(HEAD)
    for name, each in times.items():
        print(Times(name=name, rows=100, milliseconds=sorted(each)).row())
    print()
    for name, total in seconds.items():
        print(f"{name}: PostgreSQL {total / len(times[name]) * 1000:.2f} ms of a core each")


async def _report(ingest: Ingest, key: IngestKey, slug: str, names: tuple[str, ...], batches: int) -> list[float]:
    await ingest.apply(key, [Operation(target=Target.STREAMS, slug=slug, body={"name": slug})])
    times = []
    for _ in range(batches):
        # Without a step: the next ones of the run.
        points = [{"values": {name: random.random() for name in names}} for _ in range(STEPS)]
        began = time.perf_counter()
        operation = Operation(target=Target.METRICS, body={"run": f"streams/{slug}", "points": points})
        (outcome,) = await ingest.apply(key, [operation])
        times.append((time.perf_counter() - began) * 1000)
        if not isinstance(outcome, Answer):
            raise RuntimeError(f"A batch of points was refused: {outcome}")
    return times


async def _text(connection: psycopg.AsyncConnection, statement: str, name: str) -> str:
    row = await (await connection.execute(statement, (name,))).fetchone()
    assert row
    return str(row[0])


def _without_sums(function: str) -> str:
    """Return the text of the function less what notes the change of sums."""
    plain = re.sub(r"    \), summed as \(.*?    \), written as \(", "    ), written as (", function, flags=re.S)
    plain = re.sub(r"    -- Held.*?\) as metric;\n", "", plain, flags=re.S)
    if "metric_rollup_changes" in plain or "for update" in plain:
        raise RuntimeError(f"{FUNCTION} was changed: adapt what is left out of it here.")
    return plain


def _postgres_seconds() -> float:
    """Return the seconds on a core of this process's PostgreSQL, to the nanosecond, which ticks are too coarse for."""
    found = [each for each in psutil.Process().children(recursive=True) if "postgres" in each.name()]
    return sum(int(Path(f"/proc/{each.pid}/schedstat").read_text().split()[0]) for each in found) / 1e9


if __name__ == "__main__":
    asyncio.run(main())
