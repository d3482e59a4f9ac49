"""Times of a query, the plans of its statements, and the sizes of what it reads."""

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from benchmarks.history.scene import Query, Scene

_BECOMES = "select set_config('role'"
# Not what sets claims, limits or asks for the right to listen.
_READS = re.compile(r"\s*(select|with)\b(?! private\.can_subscribe)(?!.*\bset_config\()", re.IGNORECASE | re.DOTALL)
_SIZES = """
    select relation.relname, relation.reltuples::bigint, pg_relation_size(relation.oid), pg_indexes_size(relation.oid)
    from pg_class as relation
    where relation.relkind = 'r' and relation.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and pg_total_relation_size(relation.oid) > 1048576
    order by pg_total_relation_size(relation.oid) desc
"""
_INDEX_SIZES = """
    select relation.relname, pg_relation_size(relation.oid) from pg_class as relation
    where relation.relkind = 'i' and relation.relnamespace in ('public'::regnamespace, 'private'::regnamespace)
        and pg_relation_size(relation.oid) > 8388608
    order by pg_relation_size(relation.oid) desc
"""
HEAD = "| query | rows | n | p50, ms | p95, ms | p99, ms | maximum, ms |\n|---|---|---|---|---|---|---|"


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Times of one query in milliseconds, ascending, and the rows of its last run."""

    name: str
    rows: int
    milliseconds: Sequence[float]

    def quantile(self, share: float) -> float:
        """Return the time that this share of the runs did not exceed."""
        return self.milliseconds[max(1, math.ceil(share * len(self.milliseconds) - 1e-9)) - 1]

    def row(self) -> str:
        """Return a line of the table with the head `HEAD`."""
        times = " | ".join(f"{self.quantile(share):.1f}" for share in (0.5, 0.95, 0.99, 1))
        return f"| {self.name} | {self.rows:,} | {len(self.milliseconds)} | {times} |"


async def measure(scene: Scene, query: Query, runs: int, *, most_seconds: float = 60.0) -> Times:
    """Run a query `runs` times after one that does not count; fewer times if it takes too long, but three."""
    await query.read(scene)
    times: list[float] = []
    rows, ends_at = 0, time.perf_counter() + most_seconds
    while len(times) < runs and (len(times) < 3 or time.perf_counter() < ends_at):
        began = time.perf_counter()
        rows = await query.read(scene)
        times.append((time.perf_counter() - began) * 1000)
    return Times(name=query.name, rows=rows, milliseconds=sorted(times))


async def explain(scene: Scene, query: Query) -> str:
    """Return the statements of a query and the plans by which PostgreSQL ran them."""
    with explaining() as plans:
        await query.read(scene)
    content = "\n\n".join(f"{statement.strip()}\n\n{plan}" for statement, plan in plans)
    return f"{query.name}: {query.does}\n\n{content}\n"


def write_plans(folder: Path, query: Query, plans: str) -> None:
    """Write the plans of a query to a file of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{re.sub(r'[^a-z0-9]+', '-', query.name.lower())}.txt").write_text(plans)


@contextmanager
def explaining() -> Iterator[list[tuple[str, str]]]:
    """Explain each statement that reads before it runs, under the same claims and in the same transaction.

    Yields:
        The statements and their plans.
    """
    plans: list[tuple[str, str]] = []
    execute = psycopg.AsyncCursor.execute

    async def explained(cursor: Any, query: Any, params: Any = None, **options: Any) -> Any:
        statement = query if isinstance(query, str) else query.decode() if isinstance(query, bytes) else ""
        # One message may hold both who reads and what is read.
        claims, both, wanted = statement.partition("; ") if statement.startswith(_BECOMES) else ("", "", statement)
        if _READS.match(wanted):
            await execute(cursor, f"{claims}{both}explain (analyze, buffers) {wanted}".encode(), params, **options)
            if both:
                cursor.nextset()
            plans.append((wanted, "\n".join(row[0] for row in await cursor.fetchall())))
        return await execute(cursor, query, params, **options)

    with patch.object(psycopg.AsyncCursor, "execute", explained):
        yield plans


async def sizes(database_url: str) -> str:
    """Return tables of the sizes of tables and of their largest indexes, in MiB; by a URL of the owner."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        tables = await (await connection.execute(_SIZES)).fetchall()
        indexes = await (await connection.execute(_INDEX_SIZES)).fetchall()
    lines = ["| table | rows | rows, MiB | indexes, MiB |", "|---|---|---|---|"]
    lines += [f"| {name} | {rows:,} | {heap / 2**20:.0f} | {of / 2**20:.0f} |" for name, rows, heap, of in tables]
    lines += ["", "| index | MiB |", "|---|---|", *(f"| {name} | {size / 2**20:.0f} |" for name, size in indexes)]
    return "\n".join(lines)
