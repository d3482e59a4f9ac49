"""A board of charts: which runs it counts, over which time, and which charts it shows; from and to URL parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from services.entities import RUNS
from services.entities.base.listing import ARCHIVE_FACET, JOB_FACET, NEWEST, TAG_FACET, ListSpec
from services.errors import NotAccepted
from services.lists.query import ListQuery
from services.period import PARAMETERS, Period, zone_of
from services.text import storable, uuid_of

ALL_TIME = "all"
"""Value of the parameter `from` for everything."""
DEFAULT_PERIOD = Period(start="24h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Boards:
    """Boards as views are saved of them; see `Listed`."""

    table: str = "analytics"
    label: str = "Boards"
    plural: str = "boards"
    path: str = "/analytics"


BOARDS = Boards()
Size = Literal["s", "m", "l"]
SIZES: dict[Size, str] = {"s": "Small", "m": "Medium", "l": "Large"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One kind of chart.

    Args:
        name: Its name in addresses.
        label: Its title.
        note: What it counts.
        size: Its size on a new board.
        hint: What to do where nothing was reported; such a chart is on no board by default.
    """

    name: str
    label: str
    note: str
    size: Size
    hint: str = ""


CHARTS = {
    chart.name: chart
    for chart in (
        Chart(name="figures", label="In short", note="Runs that ended in the range, and those of now", size="l"),
        Chart(name="throughput", label="Throughput", note="Runs that ended, by how they ended", size="m"),
        Chart(name="rates", label="Success and failure rate", note="Of the runs that completed or failed", size="m"),
        Chart(name="durations", label="Duration", note="Of completed runs, within 4 %", size="m"),
        Chart(name="load", label="Running and waiting", note="At the end of each interval", size="m"),
        Chart(name="jobs", label="Busiest jobs", note="Runs that ended, those that failed apart", size="m"),
        Chart(name="failures", label="Failures by hour and weekday", note="Runs that failed", size="m"),
        Chart(name="alerts", label="Alerts by type", note="Alerts for you, by when they were detected", size="m"),
        Chart(name="people", label="Here now", note="Who has a window open, and what they look at", size="m"),
        Chart(
            name="tokens",
            label="Tokens",
            note="Sums of what runs logged, each metric apart",
            size="m",
            hint="No run logged tokens in this range. Log a metric called tokens, input_tokens or output_tokens.",
        ),
        Chart(
            name="cost",
            label="Cost",
            note="Sums of what runs logged, in their own unit",
            size="m",
            hint="No run logged a cost in this range. Log a metric called cost.",
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A chart of a board, and its size there."""

    name: str
    size: Size


DEFAULT_CHARTS = tuple(Shown(name=chart.name, size=chart.size) for chart in CHARTS.values() if not chart.hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One choice of runs, time and charts.

    Args:
        kind: Kind of run; empty for all.
        query: Search, facets and range.
        zone: Name of the zone by whose clock charts are divided; empty for the reader's.
        charts: The charts in order.
        problem: Why something that was given is not valid; it is then left out.
    """

    kind: str = ""
    query: ListQuery[Any]
    zone: str = ""
    charts: tuple[Shown, ...] = DEFAULT_CHARTS
    problem: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, Any]) -> "Board":
        """Read `kind`, `zone`, `charts` and the parameters of a list; what is not valid is told by `problem`."""
        problems = []
        kind = str(params.get("kind") or "")
        if kind and kind not in RUNS:
            problems.append(f"There is no kind of run “{kind[:40]}”. All are counted.")
            kind = ""
        zone = storable(str(params.get("zone") or ""))[:60]
        try:
            zone_of(zone)
        except NotAccepted as error:
            problems.append(str(error))
            zone = ""
        times = {**params, "zone": zone, "by": ""}
        if params.get("from") == ALL_TIME:
            times["from"] = ""
        query: ListQuery[Any] = ListQuery.parse(spec_of(kind), times)
        if query.period.problem:
            problems.append(query.period.problem)
        # The board tells what is wrong with the range.
        period = replace(query.period, problem="")
        query = replace(query, period=period)
        is_default = (period.start, period.end) == (DEFAULT_PERIOD.start, DEFAULT_PERIOD.end)
        if is_default or (period.is_everything and params.get("from") != ALL_TIME):
            query = replace(query, period=DEFAULT_PERIOD)
        charts, unknown = _charts(str(params.get("charts") or ""))
        problems += unknown
        return cls(kind=kind, query=query, zone=zone, charts=charts, problem=" ".join(problems))

    @property
    def params(self) -> dict[str, str]:
        """URL parameters of what differs from the default board."""
        params = {name: value for name, value in self.query.params.items() if name not in PARAMETERS}
        period = self.query.period
        if period.is_everything:
            params["from"] = ALL_TIME
        elif (period.start, period.end) != (DEFAULT_PERIOD.start, DEFAULT_PERIOD.end):
            params |= period.params
        named = {"kind": self.kind, "zone": self.zone}
        params |= {name: value for name, value in named.items() if value}
        if self.charts != DEFAULT_CHARTS:
            params["charts"] = ",".join(f"{chart.name}.{chart.size}" for chart in self.charts) or "none"
        return params

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of all its URL parameters, those of other kinds of run included."""
        facets = {facet.name for kind in ("", *RUNS) for facet in spec_of(kind).facets}
        return ("kind", "charts", "q", *PARAMETERS, *sorted(facets))

    @property
    def job(self) -> UUID | None:
        """The job whose runs alone it counts; None for those of all jobs, and of several."""
        chosen = self.query.chosen.get(JOB_FACET, frozenset())
        return uuid_of(next(iter(chosen))) if len(chosen) == 1 else None

    @property
    def is_rolled_up(self) -> bool:
        """Whether roll-ups have what it counts; the runs themselves are counted otherwise."""
        return not self.query.words and (
            not self.query.chosen or (len(self.query.chosen) == 1 and self.job is not None)
        )

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of run that it counts."""
        return (self.kind,) if self.kind else tuple(RUNS)

    def shows(self, name: str) -> bool:
        """Whether a chart is on it."""
        return any(chart.name == name for chart in self.charts)

    def bounds(self, now: datetime) -> tuple[datetime | None, datetime]:
        """Return the beginning of its range, None for the first run, and its end."""
        start, end = self.query.period.bounds(now)
        end = end or now
        return start if start is None or start < end else end - timedelta(minutes=1), end


@lru_cache(maxsize=8)
def spec_of(kind: str) -> ListSpec[Any]:
    """Return search and facets of the runs of a kind; of all runs for an empty one."""
    if not kind:
        return ListSpec(search_text=lambda _: "", search_sql="''", facets=(TAG_FACET,), sorts=(NEWEST,))
    listing = RUNS[kind].listing
    facets = tuple(facet for facet in listing.facets if facet is not ARCHIVE_FACET)
    return replace(listing, facets=facets, sorts=(NEWEST,))


def _charts(given: str) -> tuple[tuple[Shown, ...], list[str]]:
    """Return the charts of the parameter `charts`, each once, and what is wrong with it."""
    if not given:
        return DEFAULT_CHARTS, []
    shown: dict[str, Shown] = {}
    unknown = []
    for part in given[:400].split(",") if given != "none" else []:
        name, _, size = part.partition(".")
        if name not in CHARTS:
            unknown.append(f"There is no chart “{name[:40]}”.")
        else:
            known = next((each for each in SIZES if each == size), CHARTS[name].size)
            shown.setdefault(name, Shown(name=name, size=known))
    return tuple(shown.values()), unknown[:1]
