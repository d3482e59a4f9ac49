"""How each kind of row is searched, filtered and sorted, and the lists whose controls the address holds."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from components.elements.bindings import LiveQuery, live_query
from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import Kind, LiveList
from components.presentation.rows import Fields, present_agent, present_scan, present_stream
from components.presentation.statuses import STATUS_STYLES
from components.views.controls import Labels
from components.views.list_query import Facet, ListQuery, ListSpec, Option, Sort
from components.window.window import end_with
from pages.lists.details import AGENT_DETAILS, SCAN_DETAILS, Detailed, DetailPanel
from pages.page.context import PageContext, latest_detected, newest_first, running_first
from pages.team.organization import PARAMETER
from services.entities import (
    AcquisitionScan,
    Activity,
    AgentExecution,
    AgentStatus,
    GoalStatus,
    Notification,
    NotificationType,
    Priority,
    Progress,
    ScanStatus,
    SignalAlert,
    Stream,
)
from services.entities.entity import ACTIVITIES, AGENTS, ALERTS, NOTIFICATIONS, SCANS, STREAMS, Entity, R
from services.realtime import Delta

STALLED = Option(value="stalled", label="Stalled", icon="hourglass_disabled", tone="caution")
UNREACHABLE = Option(value="unreachable", label="Unreachable", icon="cloud_off", tone="critical")
UNREAD = (Option(value="unread", label="Unread", icon="mark_email_unread", tone="active"),)
NEVER = float("inf")


def options_of(kind: type[StrEnum]) -> tuple[Option, ...]:
    """An option for each status of an enum, as it looks everywhere."""
    return tuple(
        Option(value=status.value, label=look.label, icon=look.icon, tone=look.tone)
        for status, look in STATUS_STYLES[kind].items()
    )


def silence_too(status: StrEnum, row: Stream | AcquisitionScan | AgentExecution) -> tuple[str, ...]:
    """The values of a status facet that knows a program that is silent, and a stall, too."""
    now = datetime.now(UTC)
    if row.is_unreachable(now):
        return (status.value, UNREACHABLE.value)
    return (status.value, STALLED.value) if isinstance(row, Progress) and row.is_stalled(now) else (status.value,)


def _latest_update(row: Stream | AcquisitionScan) -> float:
    return -row.updated_at.timestamp() if row.updated_at else 0.0


def _first_done(row: Progress) -> float:
    return row.done_at.timestamp() if row.done_at else NEVER


STREAM_LIST: ListSpec[Stream] = ListSpec(
    text=lambda row: f"{row.name} {row.stream_type} {row.description}",
    facets=(
        Facet(
            name="status",
            label="Status",
            values=lambda row: silence_too(row.goal_status, row),
            options=(*options_of(GoalStatus), STALLED, UNREACHABLE),
        ),
    ),
    time_dependent=True,
    sorts=(
        Sort(name="newest", label="Newest first", key=newest_first),
        Sort(name="updated", label="Last updated", key=_latest_update, is_volatile=True),
        Sort(name="progress", label="Most progress", key=lambda row: -(row.percentage or 0.0), is_volatile=True),
        Sort(name="left", label="Done soonest", key=_first_done, is_volatile=True),
        Sort(name="name", label="By name", key=lambda row: row.name.casefold()),
    ),
)
SCAN_LIST: ListSpec[AcquisitionScan] = ListSpec(
    text=lambda row: f"{row.name} {row.current_step or ''} {row.error or ''}",
    facets=(
        Facet(
            name="status",
            label="Status",
            values=lambda row: silence_too(row.status, row),
            options=(*options_of(ScanStatus), STALLED, UNREACHABLE),
        ),
    ),
    time_dependent=True,
    sorts=(
        Sort(name="newest", label="Newest first", key=newest_first),
        Sort(name="updated", label="Last updated", key=_latest_update, is_volatile=True),
        Sort(name="progress", label="Most progress", key=lambda row: -row.progress_percentage, is_volatile=True),
        Sort(name="left", label="Done soonest", key=_first_done, is_volatile=True),
        Sort(name="name", label="By name", key=lambda row: row.name.casefold()),
    ),
)


AGENT_LIST: ListSpec[AgentExecution] = ListSpec(
    text=lambda row: f"{row.agent_name} {row.agent_id} {row.output_summary or ''} {row.error or ''}",
    facets=(
        Facet(
            name="status",
            label="Status",
            values=lambda row: silence_too(row.status, row),
            options=(*options_of(AgentStatus), UNREACHABLE),
        ),
        Facet(
            name="agent",
            label="Agent",
            kind="select",
            values=lambda row: (row.agent_id,),
            label_of=lambda row: row.agent_name,
        ),
        Facet(name="stream", label="Stream", kind="select", values=lambda row: (str(row.stream_id),)),
    ),
    time_dependent=True,
    sorts=(
        Sort(name="running", label="Running first", key=running_first),
        Sort(name="newest", label="Newest first", key=newest_first),
        Sort(name="longest", label="Longest first", key=lambda row: -(row.duration_ms or 0)),
    ),
)
ALERT_LIST: ListSpec[SignalAlert] = ListSpec(
    text=lambda row: f"{row.target_name} {row.company_name or ''} {row.signal_type.replace('_', ' ')}",
    facets=(
        Facet(name="show", label="Read", values=lambda row: ("unread",) if row.is_unread else (), options=UNREAD),
        Facet(
            name="priority",
            label="Priority",
            values=lambda row: (row.priority.value,) if row.priority else (),
            options=tuple(reversed(options_of(Priority))),
        ),
    ),
    sorts=(
        Sort(name="newest", label="Newest first", key=latest_detected),
        Sort(name="strength", label="Strongest first", key=lambda row: -row.signal_strength),
    ),
)
NOTIFICATION_LIST: ListSpec[Notification] = ListSpec(
    text=lambda row: f"{row.title} {row.message}",
    facets=(
        Facet(name="show", label="Read", values=lambda row: ("unread",) if row.is_unread else (), options=UNREAD),
        Facet(name="type", label="Type", values=lambda row: (row.type.value,), options=options_of(NotificationType)),
    ),
    sorts=(Sort(name="newest", label="Newest first", key=newest_first),),
)
ACTIVITY_LIST: ListSpec[Activity] = ListSpec(
    text=lambda row: f"{row.subject_name} {row.status}",
    facets=(),
    sorts=(Sort(name="newest", label="Newest first", key=newest_first),),
)
SPECS: Mapping[str, ListSpec[Any]] = {
    STREAMS.table: STREAM_LIST,
    SCANS.table: SCAN_LIST,
    AGENTS.table: AGENT_LIST,
    ALERTS.table: ALERT_LIST,
    NOTIFICATIONS.table: NOTIFICATION_LIST,
    ACTIVITIES.table: ACTIVITY_LIST,
}


def streams(page: PageContext) -> None:
    """Every stream of the organisation."""
    searchable_list(page, "stream", STREAMS, STREAM_LIST, present_stream, noun="streams")


def scans(page: PageContext) -> None:
    """Every scan of the organisation."""
    searchable_list(page, "scan", SCANS, SCAN_LIST, present_scan, noun="scans", details=SCAN_DETAILS)


def agents(page: PageContext) -> None:
    """The agent executions: those that run first, then history."""

    def stream_name(id: str) -> str:
        stream = names.get(UUID(id))
        return stream.name if stream else id[:8]

    def renamed(deltas: list[Delta[Stream]]) -> None:
        if any(delta.old is None or delta.new is None or delta.old.name != delta.new.name for delta in deltas):
            live.relabel()

    labels = {"stream": stream_name}
    live = searchable_list(
        page, "agent", AGENTS, AGENT_LIST, present_agent, noun="runs", details=AGENT_DETAILS, labels=labels
    )
    names = page.window.subscribe(STREAMS, on_change=renamed)
    end_with(live.element, names.close)


def searchable_list(
    page: PageContext,
    kind: Kind,
    entity: Entity[R],
    spec: ListSpec[R],
    present: Callable[[R], Fields],
    *,
    noun: str,
    where: Callable[[R], bool] | None = None,
    details: Detailed[R] | None = None,
    labels: Labels | None = None,
) -> LiveQuery[R]:
    """A list with its controls; what a person chooses is in the address, and the address is what is shown.

    With `details`, a row that is selected is shown in full beside the list; `labels` name values of selects by facet.
    """
    query = ListQuery.parse(spec, page.address.params)
    names = ("q", "sort", *(facet.name for facet in spec.facets))
    export_path = f"/export/{entity.table}.csv?{PARAMETER}={page.membership.org_id}"
    controls = ListControls(spec, noun=noun, export_path=export_path)
    element = LiveList(kind, pages=True)
    panel = DetailPanel(page, details, element) if details else None
    live = live_query(page.window, controls, element, entity, present=present, query=query, where=where, labels=labels)

    def choose(chosen: ListQuery[Any]) -> None:
        nonlocal query
        is_typing = bool(query.search) and chosen.search != query.search
        query = chosen
        page.address.set(chosen.params, known=names, is_new=not is_typing)
        live.show(chosen)

    def follow(params: Any) -> None:
        nonlocal query
        if panel:
            panel.follow(params)
        if (asked := ListQuery.parse(spec, params)) != query:
            query = asked
            live.show(query)

    controls.on_query(choose)
    page.address.listen(element, follow)
    return live
