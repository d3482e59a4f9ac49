"""How the rows of an entity are searched, filtered and sorted: one declaration for lists, exports and URLs."""

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal

from services.entities.base.progress import Progress
from services.entities.base.reported import Reported, RunIncident, incident_sql
from services.entities.base.row import R
from services.entities.base.status import StyledStatus, Tone
from services.text import folded

MAX_SEARCHED = 4000
"""Characters of a row that a search looks through: a row may have megabytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One value of a facet, and how its chip looks."""

    value: str
    label: str
    icon: str = ""
    tone: Tone = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet(Generic[R]):
    """One property to filter by.

    Chips show a few fixed `options` with counts. A select offers the values that the rows have, labelled by `label_of`.

    Args:
        name: The URL parameter.
        label: Shown to people.
        values: Returns the values that a row has; a row may have none or several.
        options: The chips, in order.
        kind: Chips or a select.
        label_of: Returns the label of a row's value, for a select.
        label_sql: SQL aggregate of the same label, over the rows with a value.
        default: The values that are wanted when nothing is chosen; all if it is empty.
        column: Column that holds the value of a row, for the database's filter; none if `conditions` has every value.
        is_array: Whether the column is an array, whose elements are the values of a row.
        conditions: SQL conditions of the values that `column` does not hold.
        is_personal: Whether the values are what a recipient did with a row; only the page filters by them.
    """

    name: str
    label: str
    values: Callable[[R], Collection[str]]
    options: tuple[Option, ...] = ()
    kind: Literal["chips", "select"] = "chips"
    label_of: Callable[[R], str] | None = None
    label_sql: str = ""
    default: frozenset[str] = frozenset()
    column: str = ""
    is_array: bool = False
    conditions: Mapping[str, str] = field(default_factory=dict)
    is_personal: bool = False

    @property
    def comparison(self) -> str:
        """SQL condition that a row has one of `{values}`, an array of text; empty without a column."""
        if self.is_array:
            return f"{self.column} && {{values}}"
        return self.column and f"{self.column}::text = any ({{values}})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort(Generic[R]):
    """An order of rows; those that are equal in it are in the order of their ids.

    Args:
        name: The URL parameter.
        label: Shown to people.
        key: Returns the place of a row, ascending.
        sql: SQL expression that orders the rows alike, never null.
        type: PostgreSQL's type of the expression.
        is_descending: Whether the expression descends.
        first: SQL condition of the rows that come before all others; none do by default.
        since: Returns the place of a row whose expression is a time; None for an order by something else.
        is_volatile: Whether it changes with the work itself; it is then applied only when a person asks for it.
    """

    name: str
    label: str
    key: Callable[[R], Any]
    sql: str
    type: Literal["timestamptz", "float8", "text"] = "timestamptz"
    is_descending: bool = True
    first: str = ""
    since: Callable[[datetime], Any] | None = None
    is_volatile: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class ListSpec(Generic[R]):
    """Search, facets and sorts of one entity; the first sort is the default.

    Args:
        search_text: Returns the text of a row of which a search looks through the first `MAX_SEARCHED` characters.
        search_sql: SQL expression of the same text.
        facets: The filters.
        sorts: The orders.
        time: Column of the time by which a range selects rows.
        ended: Column of the time at which they ended, by which a range may select them, too; none by default.
        fold: Returns what a row has in common with others of which a list shows the first; None keeps it apart.
        time_dependent: Whether the values of a facet change with time alone.
    """

    search_text: Callable[[R], str]
    search_sql: str
    facets: tuple[Facet[R], ...] = ()
    sorts: tuple[Sort[R], ...]
    time: str = "created_at"
    ended: str = ""
    fold: Callable[[R], Hashable] | None = None
    time_dependent: bool = False

    def searched(self, row: R) -> str:
        """The text of a row that a search looks through, folded."""
        return folded(self.search_text(row)[:MAX_SEARCHED])

    @property
    def searched_sql(self) -> str:
        """SQL expression of the text that a search looks through, not folded."""
        return f"left({self.search_sql}, {MAX_SEARCHED})"

    def facet_values(self, row: R) -> tuple[tuple[str, ...], ...]:
        """The values of a row for each facet."""
        return tuple(tuple(facet.values(row)) for facet in self.facets)


STALLED = Option(value="stalled", label="Stalled", icon="hourglass_disabled", tone="caution")
UNREACHABLE = Option(value="unreachable", label="Unreachable", icon="cloud_off", tone="critical")
OVERDUE = Option(value="overdue", label="Overdue", icon="timer_off", tone="caution")
SLOW = Option(value="slow", label="Longer than usual", icon="schedule", tone="caution")
_UNREACHABLE_SQL = incident_sql(RunIncident.UNREACHABLE)
_FOUND = {
    UNREACHABLE.value: _UNREACHABLE_SQL,
    STALLED.value: f"({incident_sql(RunIncident.STALLED)} and not {_UNREACHABLE_SQL})",
    OVERDUE.value: incident_sql(RunIncident.OVERDUE),
    SLOW.value: incident_sql(RunIncident.SLOW),
}
"""SQL conditions of the options of what the watcher finds; `values` of `status_facet` tells the same of a row."""
ARCHIVED = Option(value="archived", label="Archived", icon="inventory_2")
LATEST_SECOND = 253402300799
"""The last second of the last year that Python knows, since 1970."""
UNREAD_FACET = "show"
"""Name of the facet of messages that shows the unread ones alone; their other facets are columns."""
UNREAD = Option(value="unread", label="Unread", icon="mark_email_unread", tone="active")


def options_of(statuses: type[StyledStatus]) -> tuple[Option, ...]:
    """One option for each status, in the order of the enum."""
    return tuple(
        Option(value=status.value, label=status.style.label, icon=status.style.icon, tone=status.style.tone)
        for status in statuses
    )


def status_facet(
    status_of: Callable[[R], StyledStatus],
    *options: Option,
    column: str = "status",
) -> Facet[R]:
    """The facet `status`, with what the watcher found of rows counted where `options` include it.

    Args:
        status_of: Returns the status of a row.
        options: The chips.
        column: Column of the status.
    """
    conditions = {each.value: _FOUND[each.value] for each in options if each.value in _FOUND}

    def values(row: R) -> tuple[str, ...]:
        status = status_of(row).value
        if not isinstance(row, Reported):
            return (status,)
        late = [kind.value for kind in (RunIncident.OVERDUE, RunIncident.SLOW) if kind in row.incidents]
        if row.is_unreachable:
            return (status, UNREACHABLE.value, *late)
        return (status, STALLED.value, *late) if row.is_stalled else (status, *late)

    return Facet(name="status", label="Status", values=values, options=options, column=column, conditions=conditions)


ARCHIVE_FACET: Facet[Any] = Facet(
    name="show",
    label="Archive",
    values=lambda row: (ARCHIVED.value,) if row.archived_at else ("current",),
    options=(ARCHIVED,),
    default=frozenset({"current"}),
    conditions={"current": "archived_at is null", ARCHIVED.value: "archived_at is not null"},
)
"""The facet that hides archived runs until a person asks for them."""
TAG_FACET: Facet[Any] = Facet(
    name="tag",
    label="Tag",
    kind="select",
    # A parameter of the URL separates its values by commas.
    values=lambda row: [tag for tag in row.tags if "," not in tag],
    label_sql="element",
    column="tags",
    is_array=True,
)
"""The facet of the tags of runs, from people and programs."""
JOB_FACET = "job_id"
"""Name of the facet of the job that a run belongs to."""


def job_facet(name_of: Callable[[R], str], column: str) -> Facet[R]:
    """The facet of jobs, labelled by the name of their runs, which `column` holds."""
    return Facet(
        name=JOB_FACET,
        label="Job",
        kind="select",
        values=lambda row: (str(row.job_id),) if isinstance(row, Reported) and row.job_id else (),
        label_of=name_of,
        label_sql=f"(array_agg({column} order by created_at desc))[1]",
        column="job_id",
    )


def at(moment: datetime | None) -> float:
    """Sort key of a time, latest first."""
    return -moment.timestamp() if moment else 0.0


def newest_first(row: Any) -> float:
    """Sort key: creation, latest first."""
    return at(row.created_at)


def latest_update(row: Any) -> float:
    """Sort key: last change, latest first."""
    return at(row.updated_at)


def finishing_soonest(row: Progress) -> float:
    """Sort key: estimated time of completion, soonest first; rows without an estimate last."""
    return row.done_at.timestamp() if row.done_at else float("inf")


def running_first(is_running: Callable[[R], bool], condition: str) -> Sort[R]:
    """The order with runs in progress before others, each by creation, latest first."""
    return Sort(
        name="running",
        label="Running first",
        # `is_running` and `condition` tell the same, of a row and in SQL.
        key=lambda row: (not is_running(row), newest_first(row)),
        sql="created_at",
        first=condition,
        since=lambda moment: (True, at(moment)),
    )


NEWEST: Sort[Any] = Sort(name="newest", label="Newest first", key=newest_first, sql="created_at", since=at)
LAST_UPDATED: Sort[Any] = Sort(
    name="updated", label="Last updated", key=latest_update, sql="updated_at", since=at, is_volatile=True
)


def by_estimate(done_at: str) -> Sort[Any]:
    """The order by estimated completion; `done_at` is SQL for its seconds since 1970, null without an estimate."""
    return Sort(
        name="left",
        label="Finishing soonest",
        key=finishing_soonest,
        sql=f"coalesce(case when {done_at} < {LATEST_SECOND} then {done_at} end, 'infinity')",
        type="float8",
        is_descending=False,
        is_volatile=True,
    )


def by_name(name_of: Callable[[R], str]) -> Sort[R]:
    """The order by the column `name`, ignoring case and accents."""
    return Sort(
        name="name",
        label="By name",
        key=lambda row: folded(name_of(row)),
        sql='private.folded(name) collate "C"',
        type="text",
        is_descending=False,
    )
