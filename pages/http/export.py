"""/export/<table>.csv: the rows of a filtered list as CSV."""

import csv
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import ValidationError

from components.views.list_query import ListQuery
from pages.http.auth_middleware import session_of
from pages.page.membership import chosen_membership
from pages.page.services import Services
from services.entities import ENTITIES, Entity, Row, Scope
from services.errors import LivewatchError, PermissionDenied
from services.realtime import DatabaseSource

OMITTED_FIELDS = {
    "org_id",
    "version",
    "metadata_",
    "rate_window",
    "progress_interval",
    "ingest_key",
    "heartbeat_interval",
}
# Spreadsheets evaluate a cell as a formula that begins with one of these, also after blanks and in full width.
FORMULA_PREFIXES = frozenset("=+-@")
LINE_BREAKS = ("\t", "\r", "\n")
BYTE_ORDER_MARK = "\ufeff"
"""Makes spreadsheets read the file as UTF-8."""


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
            scope_id = membership.org_id if entity.scope is Scope.ORG else identity.user_id
            records = await source.snapshot(identity, entity, entity.topic(scope_id))
        except PermissionDenied as error:
            return PlainTextResponse(str(error), status_code=403)
        except LivewatchError as error:
            return PlainTextResponse(str(error), status_code=503)
        asked = matching_rows(entity, records, request.query_params)
        rows = [row for row in asked if row.org_id == membership.org_id]
        stamp = f"{datetime.now(UTC):%Y-%m-%d-%H%M}"
        return Response(
            BYTE_ORDER_MARK + to_csv(entity, rows),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{name}-{stamp}.csv"', "Cache-Control": "no-store"},
        )

    return router


def matching_rows(entity: Entity[Any], records: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> list[Row]:
    """Return the valid rows that match the parameters, in the order that these select."""
    query = ListQuery.parse(entity.listing, params)
    rows = []
    for record in records:
        try:
            row = entity.model.read(record)
        except ValidationError:
            continue  # the System tab lists quarantined rows
        if query.matches(row):
            rows.append(row)
    return sorted(rows, key=lambda row: (query.sort.key(row), row.id))


def to_csv(entity: Entity[Any], rows: Sequence[Row]) -> str:
    """Return a CSV header and one line per row; times are in ISO 8601, UTC, and structured values in JSON."""
    names = [name for name in entity.model.model_fields if name not in OMITTED_FIELDS]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return file.getvalue()


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, bool | StrEnum):
        return str(value)
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else _json(value)
    return f"'{text}" if _is_formula(text) else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, Mapping | Sequence) else str(value)


def _is_formula(text: str) -> bool:
    start = unicodedata.normalize("NFKC", text.lstrip()[:1])
    return start in FORMULA_PREFIXES or text.startswith(LINE_BREAKS)
