"""Charts as figures: what a browser draws, a table shows and a file holds."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.analytics.board import CHARTS, Board
from services.analytics.board_query import OUTCOMES
from services.analytics.durations import quantile
from services.analytics.reading import ALERT_TYPES, Reading
from services.entities.base.status import Tone
from services.text import visible_name

Unit = Literal["", "%", "ms", "amount"]
Value = float | int | None
OUTCOME_LABELS = {"succeeded": "Completed", "failed": "Failed", "stopped": "Stopped or cancelled"}
OUTCOME_TONES: dict[str, Tone] = {"succeeded": "positive", "failed": "critical", "stopped": "neutral"}
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Values of one thing, one for each label of its figure; None where there is none."""

    key: str
    label: str
    values: tuple[Value, ...]
    tone: Tone | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One chart of a board.

    Args:
        name: Name of the chart.
        form: How it is drawn.
        unit: Unit of the values: per cent, milliseconds, an amount as it was reported, or a number of things.
        series: The values.
        labels: What each value belongs to; for parts of the range their beginnings.
        links: Path of what each label stands for; empty where there is none.
    """

    name: str
    form: Literal["bars", "lines", "areas", "ranking", "heat", "tiles", "people"]
    unit: Unit = ""
    series: tuple[Series, ...]
    labels: tuple[str, ...] | tuple[datetime, ...]
    links: tuple[str, ...] = ()


def figures_of(board: Board, reading: Reading) -> list[Figure]:
    """Return the charts of a board in their order, from what was read for it."""
    return [_FIGURES[shown.name](reading) for shown in board.charts]


def count_of_ended(reading: Reading) -> int:
    """Return the number of runs that ended in the range."""
    return sum(reading.ended.values())


def _starts(reading: Reading) -> tuple[datetime, ...]:
    return reading.parts.starts if reading.parts else ()


def _ended(reading: Reading, outcome: str) -> list[int]:
    counts = [0] * len(_starts(reading))
    for (place, _, each), count in reading.ended.items():
        if each == outcome:
            counts[place] += count
    return counts


def _gauge(reading: Reading, measure: str) -> list[int]:
    """Return how many runs were in a state at the end of each part."""
    total, values = reading.gauges.get((-1, measure), 0), []
    for place in range(len(_starts(reading))):
        total += reading.gauges.get((place, measure), 0)
        values.append(total)
    return values


def _share(part: int, whole: int) -> float | None:
    return round(100 * part / whole, 1) if whole else None


def _tiles(reading: Reading) -> Figure:
    succeeded, failed = (sum(_ended(reading, outcome)) for outcome in ("succeeded", "failed"))
    bins: Counter[int] = sum(_bins(reading), Counter())
    durations = [quantile(bins, share) for share in (0.5, 0.95)]
    values: dict[str, tuple[str, Value, Unit]] = {
        "ended": ("Runs that ended", count_of_ended(reading), ""),
        "failed": ("Failed", failed, ""),
        "rate": ("Success rate", _share(succeeded, succeeded + failed), "%"),
        "p50": ("Median duration", durations[0], "ms"),
        "p95": ("95th percentile", durations[1], "ms"),
        "running": ("Running", (_gauge(reading, "running") or [0])[-1], ""),
        "queue": ("Waiting", (_gauge(reading, "queue") or [0])[-1], ""),
    }
    series = tuple(Series(key=key, label=label, values=(value,)) for key, (label, value, _) in values.items())
    return Figure(name="figures", form="tiles", series=series, labels=tuple(unit for _, _, unit in values.values()))


def _throughput(reading: Reading) -> Figure:
    series = tuple(
        Series(key=each, label=OUTCOME_LABELS[each], tone=OUTCOME_TONES[each], values=tuple(_ended(reading, each)))
        for each in OUTCOMES
    )
    return Figure(name="throughput", form="bars", series=series, labels=_starts(reading))


def _rates(reading: Reading) -> Figure:
    succeeded, failed = _ended(reading, "succeeded"), _ended(reading, "failed")
    both = list(zip(succeeded, failed, strict=True))
    series = (
        Series(key="succeeded", label="Completed", tone="positive", values=tuple(_share(a, a + b) for a, b in both)),
        Series(key="failed", label="Failed", tone="critical", values=tuple(_share(b, a + b) for a, b in both)),
    )
    return Figure(name="rates", form="lines", unit="%", series=series, labels=_starts(reading))


def _bins(reading: Reading) -> list[Counter[int]]:
    """Return the durations of the completed runs of each part."""
    return [reading.durations.get(place, Counter()) for place in range(len(_starts(reading)))]


def _durations(reading: Reading) -> Figure:
    bins = _bins(reading)
    series = tuple(
        Series(key=key, label=label, tone=tone, values=tuple(quantile(each, share) for each in bins))
        for key, label, share, tone in _QUANTILES
    )
    return Figure(name="durations", form="lines", unit="ms", series=series, labels=_starts(reading))


_QUANTILES: tuple[tuple[str, str, float, Tone], ...] = (
    ("p50", "Median", 0.5, "active"),
    ("p95", "95th percentile", 0.95, "caution"),
    ("p99", "99th percentile", 0.99, "critical"),
)


def _load(reading: Reading) -> Figure:
    series = (
        Series(key="running", label="Running", tone="active", values=tuple(_gauge(reading, "running"))),
        Series(key="queue", label="Waiting", tone="caution", values=tuple(_gauge(reading, "queue"))),
    )
    return Figure(name="load", form="areas", series=series, labels=_starts(reading))


def _jobs(reading: Reading) -> Figure:
    failed = [job.counts.get("failed", 0) for job in reading.jobs]
    others = [job.total - count for job, count in zip(reading.jobs, failed, strict=True)]
    series = (
        Series(key="ended", label="Completed or stopped", tone="positive", values=tuple(others)),
        Series(key="failed", label="Failed", tone="critical", values=tuple(failed)),
    )
    return Figure(
        name="jobs",
        form="ranking",
        series=series,
        labels=tuple(visible_name(job.name) for job in reading.jobs),
        links=tuple(f"/jobs/{job.kind}/{job.slug}" if job.slug else "" for job in reading.jobs),
    )


def _failures(reading: Reading) -> Figure:
    series = tuple(
        Series(key=str(day), label=name, values=tuple(reading.failures.get((day, hour), 0) for hour in range(24)))
        for day, name in enumerate(WEEKDAYS)
    )
    return Figure(name="failures", form="heat", series=series, labels=tuple(f"{hour:02}:00" for hour in range(24)))


def _alerts(reading: Reading) -> Figure:
    totals: Counter[str] = Counter()
    for (_, type), count in reading.alerts.items():
        totals[type] += count
    shown = [type for type, _ in sorted(totals.items(), key=lambda item: (-item[1], item[0]))[:ALERT_TYPES]]
    values = {key: [0] * len(_starts(reading)) for key in (*shown, *([OTHERS] if len(totals) > len(shown) else []))}
    for (place, type), count in reading.alerts.items():
        values[type if type in shown else OTHERS][place] += count
    labels = {key: visible_name(key) for key in shown}
    series = tuple(
        Series(key=key, label=labels.get(key, "Other types"), values=tuple(counts)) for key, counts in values.items()
    )
    return Figure(name="alerts", form="bars", series=series, labels=_starts(reading))


def _tokens(reading: Reading) -> Figure:
    return _amounts(reading, "tokens", {"tokens": "Tokens", "input_tokens": "Input", "output_tokens": "Output"})


def _cost(reading: Reading) -> Figure:
    return _amounts(reading, "cost", {"cost": "Cost"})


def _amounts(reading: Reading, name: str, metrics: dict[str, str]) -> Figure:
    """Return the sums of some metrics: none of those that no run logged, None where nothing was logged."""
    series = []
    for metric, label in metrics.items():
        values: list[Value] = [None] * len(_starts(reading))
        for (place, _, each), total in reading.amounts.items():
            if each == metric:
                values[place] = _amount((values[place] or 0) + total)
        if any(value is not None for value in values):
            series.append(Series(key=metric, label=label, values=tuple(values)))
    return Figure(name=name, form="lines", unit="amount", series=tuple(series), labels=_starts(reading))


def _amount(value: float) -> Value:
    """Return a sum in the 15 digits that are exact, at most the largest number that JSON readers know."""
    largest = sys.float_info.max
    rounded = value if abs(value) >= largest else float(f"{value:.15g}")
    return max(-largest, min(largest, rounded))


def _people(_: Reading) -> Figure:
    """Return a figure without values: the window itself knows who is here."""
    return Figure(name="people", form="people", series=(), labels=())


_FIGURES: dict[str, Callable[[Reading], Figure]] = {
    "figures": _tiles,
    "throughput": _throughput,
    "rates": _rates,
    "durations": _durations,
    "load": _load,
    "jobs": _jobs,
    "failures": _failures,
    "alerts": _alerts,
    "tokens": _tokens,
    "cost": _cost,
    "people": _people,
}
assert _FIGURES.keys() == CHARTS.keys()


def table_of(figure: Figure) -> tuple[Sequence[str], list[list[str | Value]]]:
    """Return a figure as a table: the names of its columns, and its rows."""
    if figure.form == "tiles":
        return ("Figure", "Value", "Unit"), [
            [each.label, each.values[0], str(unit)] for each, unit in zip(figure.series, figure.labels, strict=True)
        ]
    first = "Job" if figure.form == "ranking" else "Hour" if figure.form == "heat" else "From"
    unit = f" ({figure.unit})" if figure.unit in ("%", "ms") else ""
    columns = [first, *(f"{each.label}{unit}" for each in figure.series)]
    labels = [label.isoformat() if isinstance(label, datetime) else label for label in figure.labels]
    return columns, [[label, *(each.values[row] for each in figure.series)] for row, label in enumerate(labels)]
