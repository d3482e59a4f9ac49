"""Metrics of runs, read as the signed-in user: which there are, and their points, downsampled by the database."""

import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.auth.identity import Identity
from services.infra.database import Database

MAX_EXACT_POINTS = 2_000
"""Points that are read as they are; of more, the least and the greatest of each of `BUCKETS` parts are."""
BUCKETS = 600
EXPORT_ROWS = 5_000
MAX_STEP = 2**53

_METRICS = text("""
    select name, points, replaced, first_step, last_step, last_value, minimum, maximum
    from public.run_metrics where run_id = :run order by name
""")
_COUNT = text("""
    select count(*) from (
        select from public.metric_points
        where run_id = :run and name = :name and step between :first and :last limit :most
    ) as point
""")
_EXACT = text("""
    select step, value from public.metric_points
    where run_id = :run and name = :name and step between :first and :last order by step limit :most
""")
# Of each bucket the extremes with their steps, as pairs, which compare by their value first; the first and the last
# point, so that lines meet; and the first value that is not finite.
_BUCKETS = text("""
    with bounds as materialized (
        select
            (select step from public.metric_points
             where run_id = :run and name = :name and step between :first and :last order by step limit 1) as least,
            (select step from public.metric_points
             where run_id = :run and name = :name and step between :first and :last order by step desc limit 1) as most
    )
    select
        min(array[value, step]) filter (where is_finite) as lowest,
        max(array[value, -step]) filter (where is_finite) as highest,
        min(step) filter (where not is_finite) as odd_step,
        (array_agg(value) filter (where not is_finite))[1] as odd_value
    from (
        select step::double precision as step, value, value not in ('NaN', 'Infinity', '-Infinity') as is_finite,
            (step - bounds.least) * :buckets / (bounds.most - bounds.least + 1) as bucket
        from public.metric_points, bounds
        where run_id = :run and name = :name and step between bounds.least and bounds.most
    ) as point
    group by bucket order by bucket
""")
_EXPORT = text("""
    select name, step, at, value from public.metric_points
    where run_id = :run and (name, step) > (:name, :step) order by name, step limit :most
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric of a run.

    Args:
        name: Its name, of any script.
        points: Number of its points.
        replaced: Number of points that replaced earlier ones at their step.
        first_step: Its lowest step.
        last_step: Its highest step.
        last_value: Its value there; may be no number or infinite.
        minimum: The least of its finite values; None without any.
        maximum: The greatest of them.
    """

    name: str
    points: int
    replaced: int
    first_step: int
    last_step: int
    last_value: float
    minimum: float | None
    maximum: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Points of a metric in the order of their steps.

    Args:
        points: Step and value; the value may be no number or infinite.
        is_exact: Whether these are all points of the range, and not the extremes of its parts.
    """

    points: list[tuple[int, float]]
    is_exact: bool


async def metrics_of(database: Database, identity: Identity, run: UUID) -> list[Metric]:
    """Return the metrics of a run, at most 1,000, by name; none if the user may not see it.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_METRICS, {"run": run})).all()
    return [Metric(**row._mapping) for row in rows]


async def read_series(
    database: Database, identity: Identity, run: UUID, name: str, *, first: int = 0, last: int = MAX_STEP
) -> Series:
    """Read the points of a metric from step `first` to step `last`, both included; raises as `metrics_of`.

    More than `MAX_EXACT_POINTS` are downsampled so that no peak is lost: each part of the range keeps its least and its
    greatest value at their steps, and one value that is not finite, if it has any.
    """
    async with database.as_user(identity) as session:
        return await _series(await session.connection(), run, name, first, last)


async def export_points(
    database: Database, identity: Identity, run: UUID
) -> AsyncIterator[Sequence[tuple[str, int, datetime, float]]]:
    """Yield all points of a run in parts: name, step, time and value, by name and step; raises as `metrics_of`."""
    name, step = "", -1
    while True:
        async with database.as_user(identity) as session:
            connection = await session.connection()
            rows = (
                await connection.execute(_EXPORT, {"run": run, "name": name, "step": step, "most": EXPORT_ROWS})
            ).all()
        if rows:
            yield [(row.name, row.step, row.at, row.value) for row in rows]
            name, step = rows[-1].name, rows[-1].step
        if len(rows) < EXPORT_ROWS:
            return


async def _series(connection: AsyncConnection, run: UUID, name: str, first: int, last: int) -> Series:
    values: dict[str, Any] = {"run": run, "name": name, "first": first, "last": last, "most": MAX_EXACT_POINTS + 1}
    count = (await connection.execute(_COUNT, values)).scalar_one()
    if count <= MAX_EXACT_POINTS:
        rows = (await connection.execute(_EXACT, values)).all()
        return Series(points=[(row.step, row.value) for row in rows], is_exact=True)
    rows = (await connection.execute(_BUCKETS, {**values, "buckets": BUCKETS})).all()
    points: list[tuple[int, float]] = []
    for row in rows:
        found = set()
        if row.lowest is not None:
            found.add((int(row.lowest[1]), row.lowest[0]))
            found.add((int(-row.highest[1]), row.highest[0]))
        if row.odd_step is not None:
            found.add((int(row.odd_step), row.odd_value))
        points += sorted(found, key=_step)
    return Series(points=points, is_exact=False)


def _step(point: tuple[int, float]) -> int:
    return point[0]


def spelled(value: float) -> float | str:
    """Return a value as JSON can have it: NaN and infinities become texts."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
