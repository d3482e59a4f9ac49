"""/export/log.txt: the log of a run, a job or the organisation, or what a filter leaves of it, as plain text."""

import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from pages.http.auth_middleware import session_of
from pages.page.membership import membership_of
from pages.page.services import Services
from services.errors import DatabaseTimeLimit, LivewatchError, NotAccepted, NotFound, PermissionDenied
from services.history.log_filter import LogFilter
from services.history.log_search import FoundLine, FoundLines, LogScope, Position, search_logs
from services.people.audit import note_export
from services.realtime import Subscriber
from services.text import shown_line, uuid_of, visible_name

logger = structlog.get_logger(__name__)

PAGE_LINES = 2000
BEGINNING = Position(at=datetime(1, 1, 2, tzinfo=UTC), id=0)
TEXT_TYPE = "text/plain; charset=utf-8"


def log_export_routes(services: Services) -> APIRouter:
    """Return the route of the download; it accepts a filter's parameters, and `run` (id) or `job` (kind and slug)."""
    router = APIRouter(prefix="/export", include_in_schema=False)

    @router.get("/log.txt")
    async def export(request: Request) -> Response:
        session, params = session_of(request), request.query_params
        if session is None:
            return PlainTextResponse("Sign in first.", status_code=404)
        try:
            wanted, run = LogFilter.parse(params), _run_of(params.get("run"))
            membership = await membership_of(services.database, session.identity, request)
            if job := params.get("job"):
                scope = await LogScope.of_job(services.database, session.identity, membership.org_id, job)
            else:
                scope = LogScope(org_id=membership.org_id, runs=None if run is None else (run,))
            lines = MatchingLines(services, session, scope, wanted)
            first = await lines.page()
            await note_export(
                services.database, session.identity, scope.org_id, list="log_lines", filter=json.dumps(dict(params))
            )
        except NotAccepted as error:
            return PlainTextResponse(str(error), status_code=400)
        except NotFound as error:
            return PlainTextResponse(str(error), status_code=404)
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        name = f"log-{datetime.now(UTC):%Y-%m-%d-%H%M}.txt"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return StreamingResponse(text_parts(lines, first), media_type=TEXT_TYPE, headers=headers)

    return router


class MatchingLines:
    """Lines that match, earliest first, read page by page under the claims that the session has by then."""

    def __init__(self, services: Services, session: Subscriber, scope: LogScope, wanted: LogFilter) -> None:
        self._database = services.database
        self._session = session
        self.scope = scope
        self._wanted = wanted
        self._position: Position | None = BEGINNING

    async def page(self) -> Sequence[FoundLine] | None:
        """Return the next lines, maybe none of them yet; None after the last page."""
        if self._position is None:
            return None
        found: FoundLines = await search_logs(
            self._database,
            self._session.identity,
            self.scope,
            self._wanted,
            after=self._position,
            limit=PAGE_LINES,
        )
        self._position = found.reached
        return found.lines


async def text_parts(lines: MatchingLines, page: Sequence[FoundLine] | None) -> AsyncIterator[str]:
    """Yield the text of all pages from `page` on.

    An error ends the response before its end, which a browser shows as a failed download.
    """
    names_runs = lines.scope.runs is None or len(lines.scope.runs) > 1
    try:
        while page is not None:
            yield "".join(_text(line, names_runs=names_runs) for line in page)
            page = await lines.page()
    except (LivewatchError, DatabaseTimeLimit) as error:
        logger.warning("export cut off", table="log_lines", cause=str(error))
        raise


def _text(line: FoundLine, *, names_runs: bool) -> str:
    """A line as text: without escape sequences, so that a terminal that shows the file does nothing else."""
    at = f"{line.at.astimezone(UTC).isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"
    run = f" [{visible_name(line.name or str(line.run_id))}]" if names_runs else ""
    message = shown_line(line.message).replace("\n", "\n    ")
    return f"{at} {line.level.upper():<8}{run} {message}\n"


def _run_of(given: str | None) -> UUID | None:
    if not given:
        return None
    if (run := uuid_of(given)) is None:
        raise NotAccepted(f"“{given[:60]}” is not the id of a run.")
    return run
