"""Operations of the API: their targets, the pages that show the result, and their responses."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel

from pages.api import fields, models
from pages.api.errors import failure_of, good_fields, no_such_endpoint, validated, wrong_method
from pages.api.results.models import MetricReport
from services.entities import RUNS
from services.errors import IngestRefused
from services.ingest import Answer, Operation, Target, Verb


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One endpoint that writes.

    Args:
        method: HTTP method.
        path: Path, with `{slug}` for a run.
        target: Target of the write.
        verb: Action on the target.
        body: Model of the request body.
        page: Path of the page that shows the written row, with `{id}`.
    """

    method: str
    path: str
    target: Target
    verb: Verb
    body: type[models.Body]
    page: str

    @property
    def has_slug(self) -> bool:
        """Whether its path names a run."""
        return "{slug}" in self.path


MAX_AGE_SECONDS = 7 * 24 * 3600.0
RUN_PAGES = {kind: entity.row_path for kind, entity in RUNS.items()}


def _report(target: Target, body: type[models.Body]) -> ApiOperation:
    return ApiOperation(
        method="PUT",
        path=f"/{target}/{{slug}}",
        target=target,
        verb=Verb.REPORT,
        body=body,
        page=RUN_PAGES[target],
    )


def _finish(target: Target, body: type[models.Body]) -> ApiOperation:
    return ApiOperation(
        method="POST",
        path=f"/{target}/{{slug}}/finish",
        target=target,
        verb=Verb.FINISH,
        body=body,
        page=RUN_PAGES[target],
    )


def _tidy(target: Target, verb: Verb) -> ApiOperation:
    run = f"/{target}/{{slug}}"
    is_delete = verb is Verb.DELETE
    return ApiOperation(
        method="DELETE" if is_delete else "POST",
        path=run if is_delete else f"{run}/{verb}",
        target=target,
        verb=verb,
        body=models.Close if verb is Verb.CLOSE else models.Empty,
        page=RUN_PAGES[target],
    )


def _post(target: Target, body: type[models.Body], page: str = "") -> ApiOperation:
    return ApiOperation(method="POST", path=f"/{target}", target=target, verb=Verb.REPORT, body=body, page=page)


REPORT_STREAM = _report(Target.STREAMS, models.StreamReport)
FINISH_STREAM = _finish(Target.STREAMS, models.StreamFinish)
REPORT_SCAN = _report(Target.SCANS, models.ScanReport)
FINISH_SCAN = _finish(Target.SCANS, models.ScanFinish)
REPORT_AGENT = _report(Target.AGENTS, models.AgentReport)
FINISH_AGENT = _finish(Target.AGENTS, models.AgentFinish)
SEND_ALERT = _post(Target.ALERTS, models.AlertReport, "/alerts")
SEND_NOTIFICATION = _post(Target.NOTIFICATIONS, models.NotificationReport, "/notifications")
ADD_LOG_LINES = _post(Target.LOGS, models.LogReport)
ADD_METRICS = _post(Target.METRICS, MetricReport)
SEND_HEARTBEATS = _post(Target.HEARTBEATS, models.HeartbeatReport)
RUN_TARGETS = (Target.STREAMS, Target.SCANS, Target.AGENTS)
TIDYING = {
    (target, verb): _tidy(target, verb)
    for target in RUN_TARGETS
    for verb in (Verb.CLOSE, Verb.ARCHIVE, Verb.UNARCHIVE, Verb.DELETE)
}
"""Operations that close, archive and delete runs, by target and verb."""
OPERATIONS = (
    REPORT_STREAM,
    FINISH_STREAM,
    REPORT_SCAN,
    FINISH_SCAN,
    REPORT_AGENT,
    FINISH_AGENT,
    SEND_ALERT,
    SEND_NOTIFICATION,
    ADD_LOG_LINES,
    ADD_METRICS,
    SEND_HEARTBEATS,
    *TIDYING.values(),
)
"""Every operation that a batch may contain."""


class _SlugPath(models.Body):
    slug: fields.Slug


def planned_operation(asked: Any) -> tuple[ApiOperation, Operation]:
    """Validate one operation of a batch; raises IngestRefused that names the field and its value."""
    each = validated(models.BatchOperation, asked)
    operation, slug = find_operation(each.method, each.path.split("?")[0])
    if slug is not None:
        validated(_SlugPath, {"slug": slug})
    given, ignored = accepted_body(operation, {} if each.body is None else each.body)
    clock_error = None
    if each.made_at is not None:
        clock_error = datetime.now(UTC) - timedelta(seconds=min(each.age or 0, MAX_AGE_SECONDS)) - each.made_at
    body = validated(operation.body, given, clock_error=clock_error)
    planned = operation_of(operation, slug, body, each.idempotency_key)
    made_at = each.made_at.isoformat() if each.made_at else None
    return operation, replace(planned, age=each.age, made_at=made_at, ignored=tuple(ignored))


def accepted_body(operation: ApiOperation, given: Any) -> tuple[Any, list[IngestRefused]]:
    """Split a body into what is applied and the refusals of the fields that are not; raises IngestRefused."""
    return good_fields(operation.body, given) if issubclass(operation.body, models.RunBody) else (given, [])


def find_operation(method: str, path: str) -> tuple[ApiOperation, str | None]:
    """Find the operation of a method and a path, with the slug; raises IngestRefused when there is none."""
    parts = path.removeprefix("/").split("/")
    allowed: list[str] = []
    for operation in OPERATIONS:
        wanted = operation.path.removeprefix("/").split("/")
        if operation.has_slug and len(parts) > 1:
            wanted[1] = parts[1]
        if wanted == parts:
            if operation.method == method:
                return operation, parts[1] if operation.has_slug else None
            allowed.append(operation.method)
    raise wrong_method(method, path, ", ".join(sorted(allowed))) if allowed else no_such_endpoint(method, path)


def operation_of(operation: ApiOperation, slug: str | None, body: BaseModel, idempotency_key: str | None) -> Operation:
    """Return the operation for `Ingest`, with only the fields that the client sent."""
    return Operation(
        target=operation.target,
        verb=operation.verb,
        slug=slug,
        body=body.model_dump(mode="json", exclude_none=True),
        idempotency_key=idempotency_key,
    )


def answer_of(operation: ApiOperation, asked: Operation, answer: Answer) -> tuple[int, dict[str, Any]]:
    """Return the status code and the response body of an outcome."""
    status = 201 if answer.is_new else 200
    more = answer.more
    if asked.ignored:
        more = {**more, "ignored": [failure_of(refusal)[1]["error"] for refusal in asked.ignored]}
    if asked.target is Target.HEARTBEATS:
        return status, answer.more
    if asked.verb is Verb.DELETE:
        return status, {"id": str(answer.id), "slug": asked.slug}
    page, slug = operation.page, asked.slug
    if asked.target in (Target.LOGS, Target.METRICS):
        run, _, slug = asked.body["run"].partition("/")
        page = RUN_PAGES[run]
    id = str(answer.id) if answer.id else None
    return status, {"id": id, "slug": slug, "created": answer.is_new, "url": page.format(id=answer.id), **more}
