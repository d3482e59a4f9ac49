"""/export/<table>.csv: the rows of a filtered list as CSV."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response, StreamingResponse
from pydantic import ValidationError

from components.presentation.csv_text import CSV_TYPE, csv_headers, csv_text
from pages.http.auth_middleware import session_of
from pages.page.membership import chosen_membership
from pages.page.services import Services
from services.entities import ENTITIES, Entity, Row, Scope
from services.errors import LivewatchError, PermissionDenied
from services.lists.query import ListQuery
from services.people.audit import note_export
from services.realtime import DatabaseSource, Subscriber
from services.realtime.source import PAGE_ROWS

logger = structlog.get_logger(__name__)

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
    """Return the export routes of all lists; they accept the parameters of the list's URL."""
    router = APIRouter(prefix="/export", include_in_schema=False)
    entities = {entity.table: entity for entity in ENTITIES}
    source = DatabaseSource(services.database)

    @router.get("/{name}.csv")
    async def export(request: Request, name: str) -> Response:
        session, entity = session_of(request), entities.get(name)
        if session is None or entity is None:
            return PlainTextResponse(f"There is no list {name!r}. Lists: {', '.join(entities)}.", status_code=404)
        try:
            identity = session.identity
            membership, _ = await chosen_membership(services.database, identity, request)
            if membership is None:
                raise PermissionDenied("You belong to no organisation yet.")
            rows = MatchingRows(source, session, entity, membership.org_id, request.query_params)
            await rows.begin()
            await note_export(
                services.database, identity, membership.org_id, list=name, filter=json.dumps(dict(request.query_params))
            )
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        return StreamingResponse(csv_parts(entity, rows), media_type=CSV_TYPE, headers=csv_headers(name))

    return router


class MatchingRows:
    """All rows of a list that match the parameters of its URL, read from the database page by page.

    As many as a feed may hold are in the list's order; of more, the newest come first. A page is read under the claims
    that the session has by then, so that access that is lost ends the reading with an error.

    Args:
        source: Where the rows are read.
        session: Who reads.
        entity: Whose rows.
        org_id: The organisation.
        params: Parameters of the list's URL.
    """

    def __init__(
        self,
        source: DatabaseSource,
        session: Subscriber,
        entity: Entity[Any],
        org_id: UUID,
        params: Mapping[str, Any],
    ) -> None:
        self._source = source
        self._session = session
        self._entity = entity
        self._org_id = org_id
        self._query: ListQuery[Any] = ListQuery.parse(entity.listing, params)
        self._before: tuple[datetime, UUID] | None = None
        self._is_read = False
        self._begun: list[Row] = []

    async def begin(self) -> None:
        """Read as many rows as can be put in order; raises what reading raises."""
        while not self._is_read and len(self._begun) <= self._entity.limit:
            self._begun += await self._page()
        if self._is_read:
            self._begun.sort(key=lambda row: (self._query.sort.key(row), row.id))

    async def __aiter__(self) -> AsyncIterator[list[Row]]:
        begun, self._begun = self._begun, []
        yield begun
        while not self._is_read:
            yield await self._page()

    async def _page(self) -> list[Row]:
        identity = self._session.identity
        topic = self._entity.topic(self._org_id if self._entity.scope is Scope.ORG else identity.user_id)
        records = await self._source.page(identity, self._entity, topic, before=self._before)
        self._is_read = len(records) < PAGE_ROWS
        if records:
            self._before = (datetime.fromisoformat(records[-1]["created_at"]), UUID(records[-1]["id"]))
        rows = [row for record in records if (row := self._valid(record)) and row.org_id == self._org_id]
        return [row for row in rows if self._query.matches(row)]

    def _valid(self, record: Mapping[str, Any]) -> Row | None:
        try:
            row: Row = self._entity.model.read(record)
            return row
        except ValidationError:
            return None  # the System tab lists quarantined rows


async def csv_parts(entity: Entity[Any], pages: AsyncIterable[Sequence[Row]]) -> AsyncIterator[str]:
    """Yield a CSV header and one line per row; times are in ISO 8601, UTC, and structured values in JSON.

    An error ends the response before its end, which a browser shows as a failed download.
    """
    names = [name for name in entity.model.model_fields if name not in OMITTED_FIELDS]
    yield csv_text([names], is_first=True)
    try:
        async for rows in pages:
            yield csv_text([getattr(row, name) for name in names] for row in rows)
    except LivewatchError as error:
        logger.warning("export cut off", table=entity.table, cause=str(error))
        raise
