"""The requests of the ingest API: what each takes, and how a body becomes an operation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from pages.api import models
from services.errors import IngestRefused
from services.ingest import Answer, Code, Operation, Target, Verb

M = TypeVar("M", bound=models.Body)
PREFIX = "/api/v1"
MAX_BYTES = 2**20
MAX_IDEMPOTENCY_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One request; `page` is where people see what it wrote, with the row's id in it."""

    method: str
    path: str
    target: Target
    verb: Verb
    body: type[models.Body]
    answer: type[BaseModel]
    page: str
    summary: str

    @property
    def has_slug(self) -> bool:
        return "{slug}" in self.path


def _run(target: Target, body: type[models.Body], finish: type[models.Body], page: str, noun: str) -> list[Endpoint]:
    common: dict[str, Any] = {"target": target, "answer": models.Written, "page": page}
    path = f"/{target}/{{slug}}"
    return [
        Endpoint(method="PUT", path=path, verb=Verb.REPORT, body=body, summary=f"Report a {noun}", **common),
        Endpoint(
            method="POST", path=f"{path}/finish", verb=Verb.FINISH, body=finish, summary=f"Finish a {noun}", **common
        ),
    ]


def _post(target: Target, body: type[models.Body], answer: type[BaseModel], page: str, summary: str) -> Endpoint:
    return Endpoint(
        method="POST",
        path=f"/{target}",
        target=target,
        verb=Verb.REPORT,
        body=body,
        answer=answer,
        page=page,
        summary=summary,
    )


RUN_PAGES = {
    "streams": "/streams/{id}",
    "scans": "/monitoring/scans?selected={id}",
    "agents": "/monitoring/agents?selected={id}",
}
ENDPOINTS = (
    *_run(Target.STREAMS, models.StreamReport, models.StreamFinish, RUN_PAGES["streams"], "stream"),
    *_run(Target.SCANS, models.ScanReport, models.ScanFinish, RUN_PAGES["scans"], "scan"),
    *_run(Target.AGENTS, models.AgentReport, models.AgentFinish, RUN_PAGES["agents"], "run of an agent"),
    _post(Target.ALERTS, models.AlertReport, models.Sent, "/alerts", "Send an alert"),
    _post(Target.NOTIFICATIONS, models.NotificationReport, models.Sent, "/notifications", "Send a notification"),
    _post(Target.LOGS, models.LogReport, models.Logged, "", "Add lines to a run's log"),
    _post(Target.HEARTBEATS, models.HeartbeatReport, models.Beaten, "", "Say that runs live"),
)
STATUSES = {
    Code.MALFORMED: 400,
    Code.BAD_KEY: 401,
    Code.SCOPE: 403,
    Code.NOT_FOUND: 404,
    Code.FINISHED: 409,
    Code.IDEMPOTENCY_CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.INVALID: 422,
    Code.RATE: 429,
    Code.UNAVAILABLE: 503,
}


def endpoint_of(method: str, path: str) -> tuple[Endpoint, str | None]:
    """The request that a batch names, with its slug; raises IngestRefused when there is none."""
    parts = path.removeprefix("/").split("/")
    for endpoint in ENDPOINTS:
        wanted = endpoint.path.removeprefix("/").split("/")
        if endpoint.has_slug and len(parts) > 1:
            wanted[1] = parts[1]
        if endpoint.method == method and wanted == parts:
            return endpoint, parts[1] if endpoint.has_slug else None
    raise no_such_request(method, path)


def no_such_request(method: str, path: str) -> IngestRefused:
    """What a request that is none is told."""
    return IngestRefused(
        Code.NOT_FOUND, f"There is no {method} {path[:200]} here; {PREFIX}/docs lists what there is.", field=None
    )


def operation_of(endpoint: Endpoint, slug: str | None, body: Any, idempotency_key: str | None) -> Operation:
    """The operation that a request asks for; raises IngestRefused that names the field and its value."""
    if slug is not None:
        validated(_Path, {"slug": slug})
    if idempotency_key is not None and not 1 <= len(idempotency_key) <= MAX_IDEMPOTENCY_KEY:
        raise IngestRefused(
            Code.INVALID,
            f"Idempotency-Key has {len(idempotency_key)} characters; 1 to {MAX_IDEMPOTENCY_KEY} are taken.",
            field="Idempotency-Key",
        )
    report = validated(endpoint.body, {} if body is None else body)
    given = report.model_dump(mode="json", exclude_none=True)
    return Operation(target=endpoint.target, verb=endpoint.verb, slug=slug, body=given, idempotency_key=idempotency_key)


def answer_of(endpoint: Endpoint, operation: Operation, answer: Answer) -> tuple[int, dict[str, Any]]:
    """The status and the body that a program gets."""
    status = 201 if answer.is_new else 200
    if operation.target is Target.HEARTBEATS:
        return status, answer.more
    page, slug = endpoint.page, operation.slug
    if operation.target is Target.LOGS:
        run, _, slug = operation.body["run"].partition("/")
        page = RUN_PAGES[run]
    url = page.format(id=answer.id)
    id = str(answer.id) if answer.id else None
    return status, {"id": id, "slug": slug, "created": answer.is_new, "url": url, **answer.more}


def failure_of(refusal: IngestRefused) -> tuple[int, dict[str, Any]]:
    """The status and the body that a program gets for what was not done."""
    error = {"code": refusal.code, "message": str(refusal)}
    if refusal.field:
        error["field"] = refusal.field
    return STATUSES[Code(refusal.code)], {"error": error}


def parsed(raw: bytes) -> Any:
    """The JSON of a body, None for an empty one; raises IngestRefused for what is no JSON that a database can keep."""
    if not raw.strip():
        return None
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise IngestRefused(Code.MALFORMED, f"The body is not JSON: {error}.") from error
    if b"\\u0000" in raw and _has_nul(value):
        raise IngestRefused(Code.INVALID, "A text of the body holds the character NUL, which cannot be kept.")
    return value


class _Path(models.Body):
    slug: models.Slug


def validated(model: type[M], value: Any) -> M:
    """The value as its model; raises IngestRefused that names the first field that is wrong, and its value."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False)[0]) from error


def _invalid(problem: ErrorDetails) -> IngestRefused:
    path = [str(part) for part in problem["loc"] if not str(part).startswith(("function-", "constrained-"))]
    message = problem["msg"].removeprefix("Value error, ")
    name = ".".join(path)
    if not path and problem["type"] == "value_error":
        name, _, message = message.partition(": ")
        return IngestRefused(Code.INVALID, f"{name}: {message}.", field=name)
    if not path:
        return IngestRefused(Code.INVALID, f"The body must be a JSON object, not {_shown(problem['input'])}.")
    match problem["type"]:
        case "extra_forbidden":
            message = "there is no such field; see the documentation for those that there are"
        case "missing":
            return IngestRefused(Code.INVALID, f"{name} is missing.", field=name)
        case "string_pattern_mismatch" if path[-1] in ("slug", "stream"):
            message = "a slug has 1 to 120 characters out of A-Z a-z 0-9 . _ : -"
        case "string_pattern_mismatch" if path[0] in ("run", "runs"):
            message = 'the path of a run is "streams/<slug>", "scans/<slug>" or "agents/<slug>"'
        case "string_pattern_mismatch":
            message = "it must begin with /, http:// or https://"
        case _:
            message = message[:1].lower() + message[1:]
    return IngestRefused(Code.INVALID, f"{name} is {_shown(problem['input'])}: {message}.", field=name)


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_has_nul(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(map(_has_nul, value))


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= 80 else f"{shown[:79]}…"


def model_schemas() -> Mapping[str, Any]:
    """The schemas of the bodies, for OpenAPI."""
    schemas: dict[str, Any] = {}
    bodies: list[type[models.Body]] = [*(each.body for each in ENDPOINTS), models.Batch, models.BatchOperation]
    for model in bodies:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    # An operation that does not fit is refused by itself, so that the model of the batch takes anything there.
    schemas["Batch"]["properties"]["operations"]["items"] = {"$ref": "#/components/schemas/BatchOperation"}
    return schemas
