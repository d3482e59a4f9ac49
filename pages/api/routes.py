"""Endpoints of the API, with their request, response and error models."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from pages.api import models, operations, responses
from pages.api.errors import FAILURES, failure_of
from pages.api.feed import Change, feed_response
from pages.api.jobs.pings import add_ping_routes
from pages.api.jobs.schedules import add_schedule_routes
from pages.api.operations import ApiOperation, answer_of, planned_operation
from pages.api.reading.logs import add_log_routes
from pages.api.reading.routes import add_reading_routes
from pages.api.requests import ApiRoute, Call, Key, Slug
from pages.api.results.models import MetricReport, MetricResult
from pages.api.results.routes import add_artefact_routes
from pages.api.tidying import add_tidying_routes
from pages.page.public_url import public_url
from services.errors import IngestRefused
from services.ingest import EventStreamHub, Ingest, Operation

CREATED: dict[int | str, dict[str, Any]] = {201: {"model": responses.WriteResult, "description": "Created."}}
SENT: dict[int | str, dict[str, Any]] = {201: {"model": responses.SendResult, "description": "Sent."}}

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="`id` of the last event that the client had.")
]

router = APIRouter(route_class=ApiRoute, responses=FAILURES)


@router.put("/streams/{slug}", response_model=responses.WriteResult, responses=CREATED, summary="Report a stream")
async def report_stream(slug: Slug, report: models.StreamReport, call: Call) -> Response:
    return await call.write(operations.REPORT_STREAM, report, slug)


@router.post(
    "/streams/{slug}/finish", response_model=responses.WriteResult, responses=CREATED, summary="Finish a stream"
)
async def finish_stream(slug: Slug, finish: models.StreamFinish, call: Call) -> Response:
    return await call.write(operations.FINISH_STREAM, finish, slug)


@router.put("/scans/{slug}", response_model=responses.WriteResult, responses=CREATED, summary="Report a scan")
async def report_scan(slug: Slug, report: models.ScanReport, call: Call) -> Response:
    return await call.write(operations.REPORT_SCAN, report, slug)


@router.post("/scans/{slug}/finish", response_model=responses.WriteResult, responses=CREATED, summary="Finish a scan")
async def finish_scan(slug: Slug, finish: models.ScanFinish, call: Call) -> Response:
    return await call.write(operations.FINISH_SCAN, finish, slug)


@router.put(
    "/agents/{slug}", response_model=responses.WriteResult, responses=CREATED, summary="Report an agent execution"
)
async def report_agent(slug: Slug, report: models.AgentReport, call: Call) -> Response:
    return await call.write(operations.REPORT_AGENT, report, slug)


@router.post(
    "/agents/{slug}/finish",
    response_model=responses.WriteResult,
    responses=CREATED,
    summary="Finish an agent execution",
)
async def finish_agent(slug: Slug, finish: models.AgentFinish, call: Call) -> Response:
    return await call.write(operations.FINISH_AGENT, finish, slug)


add_tidying_routes(router)
add_schedule_routes(router)
add_ping_routes(router)
add_reading_routes(router)
add_log_routes(router)
add_artefact_routes(router)


@router.post("/alerts", response_model=responses.SendResult, responses=SENT, summary="Send an alert")
async def send_alert(report: models.AlertReport, call: Call) -> Response:
    return await call.write(operations.SEND_ALERT, report)


@router.post("/notifications", response_model=responses.SendResult, responses=SENT, summary="Send a notification")
async def send_notification(report: models.NotificationReport, call: Call) -> Response:
    return await call.write(operations.SEND_NOTIFICATION, report)


@router.post("/logs", response_model=responses.LogResult, responses=CREATED, summary="Add lines to a run's log")
async def add_log_lines(report: models.LogReport, call: Call) -> Response:
    return await call.write(operations.ADD_LOG_LINES, report)


@router.post("/metrics", response_model=MetricResult, responses=CREATED, summary="Add points to a run's metrics")
async def add_metrics(report: MetricReport, call: Call) -> Response:
    """A run has at most 1,000 names of metrics and about 1,000,000 points; names beyond that are left out."""
    return await call.write(operations.ADD_METRICS, report)


@router.post("/heartbeats", response_model=responses.HeartbeatResult, summary="Send heartbeats of runs")
async def send_heartbeats(report: models.HeartbeatReport, call: Call) -> Response:
    return await call.write(operations.SEND_HEARTBEATS, report)


@router.post("/batch", response_model=responses.BatchAnswer, summary="Apply several operations")
async def apply_batch(batch: models.Batch, key: Key, request: Request) -> Response:
    """Apply the operations in order, in one transaction; only invalid operations are rejected."""
    ingest: Ingest = request.app.state.ingest
    planned = [_planned(each) for each in batch.operations]
    wanted = [each[1] for each in planned if not isinstance(each, IngestRefused)]
    outcomes = iter(await ingest.apply(key, wanted, request.state.timing) if wanted else [])
    results = []
    for each in planned:
        outcome = each if isinstance(each, IngestRefused) else next(outcomes)
        if isinstance(outcome, IngestRefused):
            status, body = failure_of(outcome)
        else:
            assert not isinstance(each, IngestRefused)
            status, body = answer_of(*each, outcome)
        results.append({"status": status, "body": body})
    return JSONResponse({"results": results})


@router.get("/me", response_model=responses.Me, summary="Check a key")
async def me(key: Key, request: Request) -> responses.Me:
    ingest: Ingest = request.app.state.ingest
    await ingest.record_use(key)
    return responses.Me(
        organization=responses.Named(id=key.org_id, name=key.org_name),
        key=responses.Named(id=key.id, name=key.label),
        scopes=sorted(key.scopes),
        url=public_url(request),
    )


@router.get(
    "/feed",
    response_class=StreamingResponse,
    responses={200: {"model": Change, "description": "Events; comments keep the connection alive."}},
    summary="Follow runs as server-sent events",
)
async def feed(key: Key, request: Request, last_event_id: LastEventId = None) -> Response:
    """Each event has an `id`. With the last one as `Last-Event-ID`, what changed since comes first, from the database:
    nothing is lost over an interruption, and a state may come twice. The events are `change`, `delete` and, for an
    id that is older than a week, `reset`.
    """
    ingest: Ingest = request.app.state.ingest
    event_streams: EventStreamHub = request.app.state.event_streams
    await ingest.record_use(key)
    return feed_response(event_streams, key, last_event_id)


def _planned(asked: object) -> tuple[ApiOperation, Operation] | IngestRefused:
    try:
        return planned_operation(asked)
    except IngestRefused as refusal:
        return refusal
