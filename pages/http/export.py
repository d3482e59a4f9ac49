"""/export/<table>.csv and .json: the rows of a filtered list, or those that were chosen in it, as a file."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse

from components.elements.lists.live_list import MAX_CHOSEN
from components.presentation.csv_text import CSV_TYPE, csv_text, download_headers
from components.presentation.json_text import JSON_TYPE, json_line
from pages.http.auth_middleware import session_of
from pages.page.membership import membership_of
from pages.page.services import Services
from services.entities import ENTITIES, Entity, Row
from services.errors import LivewatchError, NotAccepted, PermissionDenied
from services.lists.pages import Page
from services.lists.query import ListQuery
from services.lists.stored import StoredRows
from services.people.audit import note_export
from services.text import uuid_of

logger = structlog.get_logger(__name__)

EXPORTED_ROWS = 1000
"""Rows that are read at a time."""
OMITTED_FIELDS = {
    "org_id",
    "version",
    "metadata_",
    "rate_window",
    "progress_interval",
    "ingest_key",
    "sent_by",
    "heartbeat_interval",
}


def export_routes(services: Services) -> APIRouter:
    """Return the export routes of all lists.

    GET accepts the parameters of the list's URL. POST exports the rows whose ids are the lines of the body; like all
    forms, it must originate from a page of the app.
    """
    router = APIRouter(prefix="/export", include_in_schema=False)
    entities = {entity.table: entity for entity in ENTITIES}

    async def answer(request: Request, name: str, kind: str) -> Response:
        session, entity = session_of(request), entities.get(name)
        if session is None or entity is None:
            return PlainTextResponse(f"There is no list {name!r}. Lists: {', '.join(entities)}.", status_code=404)
        try:
            identity = session.identity
            membership = await membership_of(services.database, identity, request)
            noted: dict[str, Any] = {**request.query_params, **({"format": kind} if kind != "csv" else {})}
            stored = StoredRows(services.database, session, entity, membership.org_id)
            rows: MatchingRows | ChosenRows
            if request.method == "POST":
                ids = chosen_ids((await request.body()).decode(errors="replace"))
                rows = ChosenRows(stored, ids)
                noted["chosen"] = len(ids)
            else:
                rows = MatchingRows(stored, request.query_params)
            await rows.begin()
            await note_export(services.database, identity, membership.org_id, list=name, filter=json.dumps(noted))
        except NotAccepted as error:
            return PlainTextResponse(str(error), status_code=422)
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        parts, media_type = FORMATS[kind]
        return StreamingResponse(parts(entity, rows), media_type=media_type, headers=download_headers(name, kind=kind))

    @router.api_route("/{name}.csv", methods=["GET", "POST"])
    async def export_csv(request: Request, name: str) -> Response:
        return await answer(request, name, "csv")

    @router.api_route("/{name}.json", methods=["GET", "POST"])
    async def export_json(request: Request, name: str) -> Response:
        return await answer(request, name, "json")

    return router


def chosen_ids(body: str) -> list[UUID]:
    """Return the ids in the lines of a body, each once; raises NotAccepted for what is no id, none or too many."""
    lines = dict.fromkeys(body.split())
    if not 1 <= len(lines) <= MAX_CHOSEN:
        raise NotAccepted(f"{len(lines):,} rows are chosen. Choose 1 to {MAX_CHOSEN:,}, or export the whole list.")
    ids = []
    for line in lines:
        if (id := uuid_of(line)) is None:
            raise NotAccepted(f"“{line[:60]}” is not the id of a row. Choose the rows again.")
        ids.append(id)
    return ids


class ChosenRows:
    """The rows of a list with some ids, in their order, read batch by batch like `MatchingRows`.

    Ids of rows that were deleted, or belong to others, are left out.
    """

    def __init__(self, stored: StoredRows[Any], ids: Sequence[UUID]) -> None:
        self._stored = stored
        self._left = list(ids)
        self._begun: list[Row] = []

    async def begin(self) -> None:
        """Read the first batch; raises what reading raises."""
        self._begun = await self._batch()

    async def __aiter__(self) -> AsyncIterator[list[Row]]:
        begun, self._begun = self._begun, []
        yield begun
        while self._left:
            yield await self._batch()

    async def _batch(self) -> list[Row]:
        ids, self._left = self._left[:EXPORTED_ROWS], self._left[EXPORTED_ROWS:]
        rows = await self._stored.rows(ids)
        return [rows[id] for id in ids if id in rows]


class MatchingRows:
    """All rows of a list that match the parameters of its URL, in its order, read from the database page by page.

    A page is read under the claims that the session has by then, so that access that is lost ends the reading with an
    error.

    Args:
        stored: Reads the rows.
        params: Parameters of the list's URL.
    """

    def __init__(self, stored: StoredRows[Any], params: Mapping[str, Any]) -> None:
        self._stored = stored
        self._query: ListQuery[Any] = ListQuery.parse(stored.entity.listing, params)
        self._begun: Page[Any] | None = None

    async def begin(self) -> None:
        """Read the first page; raises what reading raises, and NotAccepted for a range of time that is none."""
        if self._query.period.problem:
            raise NotAccepted(self._query.period.problem)
        self._begun = await self._stored.page(self._query, limit=EXPORTED_ROWS)

    async def __aiter__(self) -> AsyncIterator[list[Row]]:
        page, self._begun = self._begun, None
        while page is not None:
            yield page.rows
            page = await self._stored.page(self._query, page.next, limit=EXPORTED_ROWS) if page.next else None


async def csv_parts(entity: Entity[Any], pages: AsyncIterable[Sequence[Row]]) -> AsyncIterator[str]:
    """Yield a CSV header and one line per row; times are in ISO 8601, UTC, and structured values in JSON.

    An error ends the response before its end, which a browser shows as a failed download.
    """
    names = field_names(entity)
    yield csv_text([names], is_first=True)
    async for rows in whole(entity, pages):
        yield csv_text([getattr(row, name) for name in names] for row in rows)


async def json_parts(entity: Entity[Any], pages: AsyncIterable[Sequence[Row]]) -> AsyncIterator[str]:
    """Yield an array with one row per line, of the same fields as CSV; an error ends it before its bracket."""
    names = field_names(entity)
    separator = "[\n"
    async for rows in whole(entity, pages):
        for row in rows:
            yield separator + json_line(names, [getattr(row, name) for name in names])
            separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


def field_names(entity: Entity[Any]) -> list[str]:
    """Return the names of the fields that a file has."""
    return [name for name in entity.model.model_fields if name not in OMITTED_FIELDS]


async def whole(entity: Entity[Any], pages: AsyncIterable[Sequence[Row]]) -> AsyncIterator[Sequence[Row]]:
    """Yield all pages; logs the error that cuts them off."""
    try:
        async for rows in pages:
            yield rows
    except LivewatchError as error:
        logger.warning("export cut off", table=entity.table, cause=str(error))
        raise


FORMATS: Mapping[str, tuple[Callable[[Entity[Any], AsyncIterable[Sequence[Row]]], AsyncIterator[str]], str]] = {
    "csv": (csv_parts, CSV_TYPE),
    "json": (json_parts, JSON_TYPE),
}
"""How a file is written, and its media type, by ending."""
