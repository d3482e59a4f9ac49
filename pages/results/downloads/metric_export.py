"""/export/metrics.csv: all points of the metrics of a run as a file."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from components.presentation.csv_text import CSV_TYPE, csv_text, download_headers
from pages.http.auth_middleware import session_of
from pages.page.membership import membership_of
from pages.page.services import Services
from services.errors import LivewatchError, PermissionDenied
from services.people.audit import note_export
from services.results.metrics import export_points, spelled
from services.text import uuid_of

logger = structlog.get_logger(__name__)

COLUMNS = ("metric", "step", "at", "value")
Rows = Sequence[tuple[str, int, datetime, float]]


def metric_export_routes(services: Services) -> APIRouter:
    """Return the route of the download; it accepts `run`, the id of a run."""
    router = APIRouter(include_in_schema=False)

    @router.get("/export/metrics.csv")
    async def export(request: Request) -> Response:
        session, params = session_of(request), request.query_params
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=404)
        if (run := uuid_of(params.get("run", ""))) is None:
            return PlainTextResponse(f"“{params.get('run', '')[:60]}” is not the id of a run.", status_code=400)
        try:
            membership = await membership_of(services.database, session.identity, request)
            parts = export_points(services.database, session.identity, run)
            first = await anext(parts, None)
            if first is None:
                return PlainTextResponse("This run has no metrics, or you may not see it.", status_code=404)
            await note_export(
                services.database,
                session.identity,
                membership.org_id,
                list="metric_points",
                filter=json.dumps(dict(params)),
            )
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        return StreamingResponse(_text(first, parts), media_type=CSV_TYPE, headers=download_headers("metrics"))

    return router


async def _text(first: Rows, parts: AsyncIterator[Rows]) -> AsyncIterator[str]:
    """Yield the file; an error ends the response before its end, which a browser shows as a failed download."""
    yield csv_text([COLUMNS], is_first=True) + _rows(first)
    try:
        async for part in parts:
            yield _rows(part)
    except LivewatchError as error:
        logger.warning("export cut off", table="metric_points", cause=str(error))
        raise


def _rows(rows: Rows) -> str:
    return csv_text((name, step, at, spelled(value)) for name, step, at, value in rows)
