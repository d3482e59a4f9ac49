"""From a part of a chart to the list of the runs behind it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from services.analytics.amounts import AMOUNTS
from services.analytics.board import Board
from services.analytics.board_query import OUTCOMES
from services.analytics.reading import Reading
from services.entities import ALERTS, RUNS
from services.history.jobs import FAILED, SUCCEEDED
from services.period import BY_END

OPEN: dict[str, dict[str, tuple[str, ...]]] = {
    "running": {
        "streams": ("in_progress", "on_track", "at_risk"),
        "scans": ("scanning", "analyzing"),
        "agents": ("running",),
    },
    "queue": {"streams": ("not_started",), "scans": ("configuring",), "agents": ("pending",)},
}
"""Statuses of the runs that a gauge counts now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsLink:
    """Path of a list of runs, and how many it has; None where that is not known."""

    label: str
    path: str
    count: int | None


def links_of(board: Board, reading: Reading, chart: str, series: str, place: int) -> list[RunsLink]:
    """Return where the runs behind a part of a chart are listed, by kind of run; nothing for a part without any.

    Args:
        board: The board.
        reading: What it shows.
        chart: Name of the chart, from the browser.
        series: Key of the series, from the browser.
        place: Number of the label, from the browser.
    """
    if chart in ("jobs", "load"):
        return _job(reading, place) if chart == "jobs" else _open_now(board, series)
    if reading.parts is None or not 0 <= place < len(reading.parts.starts):
        return []
    if chart == "failures":
        # The hour of a weekday is no range: the failures of the whole one.
        return _ended(board, reading, ("failed",), reading.parts.starts[0], reading.parts.end)
    start, end = reading.parts.bounds(place)
    if chart in AMOUNTS:
        return _begun(board, reading, series, place, end)
    if chart == "alerts":
        return [RunsLink(label=ALERTS.label, path=_path(ALERTS.path, _range(start, end)), count=None)]
    outcomes = (series,) if series in OUTCOMES else ("succeeded",) if chart == "durations" else ()
    return _ended(board, reading, outcomes, start, end)


def _job(reading: Reading, place: int) -> list[RunsLink]:
    job = reading.jobs[place] if 0 <= place < len(reading.jobs) else None
    if job is None or not job.slug:
        return []
    return [RunsLink(label=job.name, path=f"/jobs/{job.kind}/{quote(job.slug, safe='')}", count=job.total)]


def _open_now(board: Board, series: str) -> list[RunsLink]:
    return [
        RunsLink(label=f"{RUNS[kind].label} now", path=_path(RUNS[kind].path, {"status": ",".join(names)}), count=None)
        for kind, names in OPEN.get(series, {}).items()
        if kind in board.kinds
    ]


def _begun(board: Board, reading: Reading, metric: str, place: int, end: datetime) -> list[RunsLink]:
    """Return the runs that had begun by then, of the kinds that logged the metric: they log for as long as they run."""
    to = end.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [
        RunsLink(label=RUNS[kind].label, path=_path(RUNS[kind].path, {**_filters(board), "to": to}), count=None)
        for kind in board.kinds
        if (place, kind, metric) in reading.amounts
    ]


def _ended(board: Board, reading: Reading, outcomes: tuple[str, ...], start: datetime, end: datetime) -> list[RunsLink]:
    links = []
    for kind in board.kinds:
        count = sum(
            count
            for (place, each, outcome), count in reading.ended.items()
            if each == kind and outcome in outcomes and reading.parts and start <= reading.parts.starts[place] < end
        )
        if count:
            params = {**_filters(board), "status": ",".join(_statuses(kind, outcomes)), **_range(start, end, by=BY_END)}
            links.append(RunsLink(label=RUNS[kind].label, path=_path(RUNS[kind].path, params), count=count))
    return links


def _statuses(kind: str, outcomes: tuple[str, ...]) -> list[str]:
    names = {"succeeded": (SUCCEEDED,), "failed": FAILED}
    known = [status.value for status in RUNS[kind].statuses]
    others = [status for status in known if status not in (SUCCEEDED, *FAILED)]
    return [status for outcome in outcomes for status in names.get(outcome, others) if status in known]


def _filters(board: Board) -> dict[str, str]:
    filters = {name: ",".join(sorted(values)) for name, values in board.query.chosen.items()}
    return filters | ({"q": board.query.search} if board.query.words else {})


def _range(start: datetime, end: datetime, *, by: str = "") -> dict[str, str]:
    times = {
        name: each.astimezone(UTC).isoformat().replace("+00:00", "Z") for name, each in (("from", start), ("to", end))
    }
    return times | ({"by": by} if by else {})


def _path(path: str, params: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(dict(params))}"
