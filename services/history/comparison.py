"""Runs side by side: their facts and their progress over the time since each began."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.history.jobs import JobRun
from services.history.progress_history import Point, progress_points
from services.history.run_environments import environment_facts, environment_packages
from services.infra.database import Database

MAX_COMPARED = 6

_RUNS = text("""
    select run.id, run.number, run.name, run.goal_status as status, run.attempt, run.error,
        coalesce(run.attempt_started_at, run.created_at) as started_at, run.finished_at,
        run.completed, run.total, run.unit, run.stream_type, run.tags, run.metadata,
        (select content from public.run_environments where run_id = run.id) as environment,
        (select scan.steps from public.acquisition_scans as scan where scan.stream_id = run.id
         order by scan.created_at limit 1) as steps
    from public.streams as run where run.id = any(:ids)
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """One run among others.

    Args:
        run: Its number, status and times.
        name: Its name.
        facts: What it says of itself, by label.
        points: Seconds since it began, and per cent done; units done where no total is known.
        has_total: Whether the points are in per cent.
    """

    run: JobRun
    name: str
    facts: dict[str, str]
    points: list[tuple[float, float]]
    has_total: bool


async def compared_runs(database: Database, identity: Identity, ids: Sequence[UUID]) -> list[ComparedRun]:
    """Read streams to compare, in the order of `ids`; those that the user may not see are left out.

    Raises:
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    wanted = list(dict.fromkeys(ids))[:MAX_COMPARED]
    async with database.as_user(identity) as session:
        connection = await session.connection()
        rows = {row.id: row for row in (await connection.execute(_RUNS, {"ids": wanted})).all()}
        points = await progress_points(connection, rows)
    packages = _differing_packages({id: environment_packages(row.environment or {}) for id, row in rows.items()})
    return [_compared(rows[id], points[id], packages[id]) for id in wanted if id in rows]


def differing(runs: Sequence[ComparedRun]) -> list[tuple[str, list[str], bool]]:
    """Return each fact with its value for every run, empty where it has none, and whether the values differ."""
    labels = dict.fromkeys(label for run in runs for label in run.facts)
    values = {label: [run.facts.get(label, "") for run in runs] for label in labels}
    return [(label, found, len(set(found)) > 1) for label, found in values.items()]


def _differing_packages(packages: Mapping[UUID, Mapping[str, str]]) -> dict[UUID, dict[str, str]]:
    """Leave out the packages of which all runs that name any have the same version."""
    named = [each for each in packages.values() if each]
    names = sorted({name for each in named for name in each if len({other.get(name) for other in named}) > 1})
    return {id: {name: each[name] for name in names if name in each} for id, each in packages.items()}


def _compared(row: Any, points: Sequence[Point], packages: Mapping[str, str]) -> ComparedRun:
    run = JobRun(
        id=row.id,
        number=row.number or 0,
        status=row.status,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempt=row.attempt,
        error=row.error,
    )
    unit = f" {row.unit}" if row.unit else ""
    facts = {
        "Attempt": str(row.attempt),
        "Done": f"{row.completed:,.12g}{unit}",
        "Total": f"{row.total:,.12g}{unit}" if row.total else "",
        "Error": row.error or "",
        "Steps": ", ".join(row.steps or ()),
        "Type": row.stream_type,
        "Tags": ", ".join(row.tags or ()),
        **{name: _shown(value) for name, value in sorted((row.metadata or {}).items())},
        **environment_facts(row.environment or {}),
        **{f"Package {name}": version for name, version in packages.items()},
    }
    has_total = bool(row.total)
    return ComparedRun(
        run=run,
        name=row.name,
        facts={label: value for label, value in facts.items() if value},
        points=[
            (
                max(0.0, (point.at - row.started_at).total_seconds()),
                100 * point.done / point.whole if has_total and point.whole else point.done,
            )
            for point in points
        ],
        has_total=has_total,
    )


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
