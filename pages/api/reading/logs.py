"""Endpoints for those who look into runs: search in all logs, and taking care of a run."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from pages.api import models
from pages.api.reading.answers import answer_row
from pages.api.reading.models import Time
from pages.api.reading.routes import authorize, database_of
from pages.api.requests import Key, Slug
from services.errors import IngestRefused
from services.ingest import Code, KeyScope
from services.reading import LOG_PARAMETERS, RESOURCES, Resource, handle_run, search_lines

DESCRIPTIONS = {
    "q": "Words that a line must contain, those between double quotes as one; or a regular expression.",
    "regex": "`1`: `q` is a regular expression of PostgreSQL.",
    "level": "Least level.",
    "job": "Only the latest 50 runs of a job: its kind and slug, as `streams/nightly`.",
    "since": "Only from this time on, in ISO 8601, or a period before now as `24h`.",
    "until": "Only before this time.",
    "limit": "Lines of a page, 1 to 1,000; 100 by default.",
    "cursor": "`next` of the page before.",
}


class FoundLine(BaseModel):
    """A line of a log, and the run that it belongs to."""

    id: int
    at: Time
    level: str
    message: str
    kind: str | None = Field(description="Kind of its run; null if the run is gone.")
    run: UUID = Field(description="Id of its run.")
    name: str | None = Field(description="Name of its run.")
    url: str | None = Field(description="Path of the page that shows the line.")


class FoundLines(BaseModel):
    """Lines, the latest first."""

    items: list[FoundLine]
    next: str | None = Field(description="Where to search on; null if all lines were searched.")
    is_cut: bool = Field(description="Whether the time of the search was over before the page was full.")


class Handled(BaseModel):
    """Result of handling a run."""

    id: UUID
    changed: bool = Field(description="Whether it was not so already.")


def add_log_routes(router: APIRouter) -> None:
    """Add the endpoints."""
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": DESCRIPTIONS[name],
            "schema": {"type": "string"},
        }
        for name in LOG_PARAMETERS
    ]

    @router.get(
        "/logs",
        response_model=FoundLines,
        summary="Search in all logs",
        openapi_extra={"parameters": parameters},
    )
    async def search_logs(request: Request, key: Key) -> Response:
        """Find lines of all runs, the latest first. Needs the scope `read`."""
        await authorize(request, key)
        with request.state.timing.measure("db"):
            page = await search_lines(database_of(request), key, key.org_id, request.query_params.multi_items())
        return answer_row(request, FoundLines(items=page.items, next=page.next, is_cut=page.is_cut))

    for resource in RESOURCES.values():
        if resource.is_run:
            _add_handling(router, resource)


def _add_handling(router: APIRouter, resource: Resource) -> None:
    @router.post(
        f"/{resource.name}/{{slug}}/handling",
        response_model=Handled,
        summary=f"Take care of {resource.name}",
        name=f"handle {resource.name}",
    )
    async def handle(request: Request, slug: Slug, body: models.Handle, key: Key) -> Handled:
        """Take, resolve or open a run again, for the team to see. Needs the scope `commands`."""
        if KeyScope.COMMANDS not in key.scopes:
            raise IngestRefused(
                Code.SCOPE,
                "This key may not do this: it lacks the scope 'commands'. An admin creates keys in Settings.",
            )
        with request.state.timing.measure("db"):
            id, changed = await handle_run(
                database_of(request),
                key,
                resource,
                org_id=key.org_id,
                name=slug,
                handling=body.handling,
                note=body.note,
            )
        return Handled(id=id, changed=changed)
