"""What programs read: for every entity its columns and its filters, which follow from the entity's declaration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from services.entities import (
    ACTIVITIES,
    AGENTS,
    ALERTS,
    NOTIFICATIONS,
    SCANS,
    STREAMS,
    Entity,
    Reported,
    Scope,
)
from services.entities.base.listing import Facet

COMMON = ("id", "version", "created_at", "updated_at")
REPORTED = (
    *("slug", "number", "attempt", "attempt_started_at", "usual_seconds", "heartbeat_at", "heartbeat_interval"),
    *("archived_at", "is_finished", "error"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One filter of a resource.

    Args:
        name: The parameter.
        description: What it selects, for the documentation.
        values: The valid values; none if any text is one.
        column: SQL expression that is compared with the values.
        conditions: SQL conditions of the values that `column` does not hold.
        default: The values that are wanted without a choice; all if there are none.
        template: SQL condition with `{values}` for the array of values, in place of the other three.
    """

    name: str
    description: str
    values: tuple[str, ...] = ()
    column: str = ""
    conditions: Mapping[str, str] = field(default_factory=dict)
    default: tuple[str, ...] = ()
    template: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Resource:
    """The rows of one entity as programs read them.

    Args:
        name: Its path.
        noun: One row.
        entity: The entity.
        columns: Columns of a row in a list, by name; values are SQL expressions.
        large: Further columns, of a row that is read alone.
        page: Path of the page that shows a row, with `{id}`.
        key: SQL expression of the id.
    """

    name: str
    noun: str
    entity: Entity[Any]
    columns: Mapping[str, str]
    large: Mapping[str, str] = field(default_factory=dict)
    page: str
    key: str = "id"

    @property
    def is_run(self) -> bool:
        """Whether programs report its rows by slug."""
        return issubclass(self.entity.model, Reported)

    @property
    def condition(self) -> str:
        """SQL condition of the rows that keys read; row-level security has it, too."""
        return "sent_by is not null" if self.entity.scope is Scope.USER else "true"

    @property
    def sorts(self) -> Mapping[str, str]:
        """Column by the name of an order, the latest first; the first order is the default."""
        return {"newest": "created_at", "updated": "updated_at"} if self.is_run else {"newest": "created_at"}

    @cached_property
    def filters(self) -> Mapping[str, Filter]:
        """The filters by name: the facets of the lists, and what else the model's columns offer."""
        fields = self.entity.model.model_fields
        filters = [_of_facet(facet) for facet in self.entity.listing.facets if not facet.is_personal]
        if "is_finished" in fields:
            filters.append(
                Filter(
                    name="finished",
                    description="Whether the run has finished.",
                    values=("true", "false"),
                    conditions={"true": "is_finished", "false": "not is_finished"},
                )
            )
        if "job_id" in fields:
            of_job = _OF_JOB.format(kind=self.name, values="{values}")
            filters.append(Filter(name="job", description="Slug of a job.", template=of_job))
        if "stream_id" in fields:
            description = "Slug or id of a stream, or slug of a job for all its runs."
            filters.append(Filter(name="stream", description=description, template=_OF_STREAM))
        for column in ("stream_type", "signal_type"):
            if column in fields:
                filters.append(Filter(name="type", description=f"A `{column}`.", column=column))
        if "tags" in fields:
            filters.append(Filter(name="tag", description="A tag; of several all.", template="tags @> {values}"))
        if "subject_table" in fields:
            filters.append(
                Filter(
                    name="kind",
                    description="Kind of run.",
                    values=("stream", "scan", "agent", "job"),
                    conditions={
                        "stream": "subject_table = 'streams'",
                        "scan": "subject_table = 'acquisition_scans'",
                        "agent": "subject_table = 'agent_executions'",
                        "job": "subject_table = 'jobs'",
                    },
                )
            )
        # The last of a name counts: a stream is found by its slug as well as by its id.
        return {each.name: each for each in filters}


_OF_JOB = (
    "job_id in (select job.id from public.jobs as job "
    "where job.org_id = %(org)s and job.kind = '{kind}' and job.slug = any ({values}))"
)
_ENVIRONMENT = "(select content from public.run_environments where run_id = {table}.id)"
_OF_STREAM = (
    "stream_id in (select id from public.streams where org_id = %(org)s and "
    f"(slug = any ({{values}}) or id::text = any ({{values}}) or {_OF_JOB.format(kind='streams', values='{values}')}))"
)


def _of_facet(facet: Facet[Any]) -> Filter:
    options = tuple(option.value for option in facet.options)
    values = (*options, *sorted(facet.conditions.keys() - set(options))) if options else ()
    return Filter(
        name=facet.name,
        description=f"{facet.label}, as in the list of the page.",
        values=values,
        column=facet.column and f"{facet.column}::text",
        conditions=facet.conditions,
        default=tuple(sorted(facet.default)),
    )


def _condition(entity: Entity[Any], value: str) -> str:
    (facet,) = (facet for facet in entity.listing.facets if facet.name == "status")
    return f"coalesce({facet.conditions[value]}, false)"


def _columns(*names: str, **expressions: str) -> dict[str, str]:
    return {**{name: name for name in (*COMMON, *names)}, **expressions}


STREAM_RESOURCE = Resource(
    name="streams",
    noun="stream",
    entity=STREAMS,
    columns=_columns(
        *REPORTED,
        *("name", "description", "stream_type", "completed", "total", "unit", "bar_count", "tags", "due_on", "program"),
        *("finished_at", "last_progress_at", "rate"),
        status="goal_status",
        percent="case when total > 0 then percentage end",
        is_stalled=_condition(STREAMS, "stalled"),
        is_unreachable=_condition(STREAMS, "unreachable"),
    ),
    large={
        **{name: name for name in ("attempts", "bars", "target_metrics", "metadata")},
        "environment": _ENVIRONMENT.format(table="streams"),
    },
    page=STREAMS.row_path,
)
SCAN_RESOURCE = Resource(
    name="scans",
    noun="scan",
    entity=SCANS,
    columns=_columns(
        *REPORTED,
        *(
            "name",
            "status",
            "stream_id",
            "targets_identified",
            "targets_analyzed",
            "tags",
            "started_at",
            "completed_at",
        ),
        *("last_progress_at", "rate"),
        step="current_step",
        progress="progress_percentage",
        is_stalled=_condition(SCANS, "stalled"),
        is_unreachable=_condition(SCANS, "unreachable"),
    ),
    large={"attempts": "attempts", "steps": "steps", "environment": _ENVIRONMENT.format(table="acquisition_scans")},
    page=SCANS.row_path,
)
AGENT_RESOURCE = Resource(
    name="agents",
    noun="agent execution",
    entity=AGENTS,
    columns=_columns(
        *REPORTED,
        *("agent_id", "agent_name", "status", "stream_id", "started_at", "completed_at", "duration_ms"),
        *("input_summary", "output_summary", "tags"),
        is_unreachable=_condition(AGENTS, "unreachable"),
    ),
    large={"attempts": "attempts", "environment": _ENVIRONMENT.format(table="agent_executions")},
    page=AGENTS.row_path,
)
# Without recipients and without what they did: that is theirs.
ALERT_RESOURCE = Resource(
    name="alerts",
    noun="alert",
    entity=ALERTS,
    columns={
        **{name: name for name in ("created_at", "detected_at", "stream_id", "company_name", "target_name")},
        **{name: name for name in ("signal_type", "signal_strength", "priority")},
        "id": "coalesce(event_id, id)",
        "sent_by": "sent_by",
    },
    large={"metadata": "metadata"},
    page="/alerts",
    key="coalesce(event_id, id)",
)
NOTIFICATION_RESOURCE = Resource(
    name="notifications",
    noun="notification",
    entity=NOTIFICATIONS,
    columns={
        **{name: name for name in ("created_at", "type", "title", "message", "action_url", "sent_by")},
        "id": "coalesce(event_id, id)",
    },
    page="/notifications",
    key="coalesce(event_id, id)",
)
ACTIVITY_RESOURCE = Resource(
    name="activities",
    noun="activity",
    entity=ACTIVITIES,
    columns={
        **{name: name for name in ("id", "created_at", "stream_id", "status", "previous_status")},
        "kind": "case subject_table when 'streams' then 'stream' when 'acquisition_scans' then 'scan' "
        "when 'jobs' then 'job' else 'agent' end",
        "run_id": "subject_id",
        "run_name": "subject_name",
        "is_by_person": "actor is not null",
    },
    page="/",
)
RESOURCES = {
    each.name: each
    for each in (
        STREAM_RESOURCE,
        SCAN_RESOURCE,
        AGENT_RESOURCE,
        ALERT_RESOURCE,
        NOTIFICATION_RESOURCE,
        ACTIVITY_RESOURCE,
    )
}
"""Everything that programs read, by path."""
