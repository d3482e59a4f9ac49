"""Endpoints that read: lists and rows of every entity, and what belongs to runs, as logs, metrics and comments."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel

from pages.api.reading.answers import answer_page, answer_row
from pages.api.reading.models import PART_ROWS, ROWS, Listing, ReadRow
from pages.api.reading.parameters import list_parameters, part_parameters
from pages.api.requests import Key, Slug
from services.errors import IngestRefused
from services.infra.database import Database
from services.ingest import Code, Ingest, IngestKey, KeyScope
from services.reading import RESOURCES, RUN_PARTS, Question, Resource, RunPart, read_page, read_part, read_row
from services.text import uuid_of

RowId = Annotated[str, Path(description="Id of the row, a UUID.")]
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "Equal to what `If-None-Match` names."}}
PARTS = {
    "logs": "the log",
    "history": "the progress",
    "metrics": "the metrics",
    "points": "the points of a metric",
    "artefacts": "the artefacts",
    "comments": "the comments",
}
ADDRESSES = "By its slug or its id; of a job its newest run, or the one that `job@number` names."
PARTS_OF = {
    "streams": tuple(PARTS),
    "scans": tuple(PARTS),
    "agents": tuple(each for each in PARTS if each != "history"),
}


def add_reading_routes(router: APIRouter) -> None:
    """Add the endpoints of every resource."""
    for resource in RESOURCES.values():
        model = ROWS[resource.name]
        _add_list(router, resource, model)
        _add_row(router, resource, model)
        for name in PARTS_OF.get(resource.name, ()):
            _add_part(router, resource, RUN_PARTS[name])


def _add_list(router: APIRouter, resource: Resource, model: type[ReadRow]) -> None:
    async def list_rows(request: Request, key: Key) -> Response:
        await authorize(request, key)
        question = Question.parse(resource, key.org_id, request.query_params.multi_items())
        with request.state.timing.measure("db"):
            page = await read_page(database_of(request), key, question)
        for record in page.items:
            record["url"] = resource.page.format(id=record["id"])
        return answer_page(request, model, page, f"/{resource.name}")

    _add(
        router,
        f"/{resource.name}",
        list_rows,
        model=Listing[model],  # type: ignore[valid-type]
        summary=f"List {resource.name}",
        description="The latest first. " + _about(resource),
        parameters=list_parameters(resource),
    )


def _add_row(router: APIRouter, resource: Resource, model: type[ReadRow]) -> None:
    async def get_run(request: Request, slug: Slug, key: Key) -> Response:
        return await answer(request, key, slug)

    async def get_row(request: Request, id: RowId, key: Key) -> Response:
        return await answer(request, key, _checked_id(resource, id))

    async def answer(request: Request, key: IngestKey, name: str) -> Response:
        await authorize(request, key)
        with request.state.timing.measure("db"):
            record = await read_row(database_of(request), key, resource, key.org_id, name)
        if record is None:
            raise _not_found(resource, name)
        return answer_row(request, model.model_validate({**record, "url": resource.page.format(id=record["id"])}))

    _add(
        router,
        f"/{resource.name}/{'{slug}' if resource.is_run else '{id}'}",
        get_run if resource.is_run else get_row,
        model=model,
        summary=f"Get {_article(resource.noun)} {resource.noun}",
        description=f"{ADDRESSES if resource.is_run else 'By its id.'} {_about(resource)}",
        parameters=[],
    )


def _add_part(router: APIRouter, resource: Resource, part: RunPart) -> None:
    model = PART_ROWS[part.name]

    async def list_part(request: Request, slug: Slug, key: Key) -> Response:
        await authorize(request, key)
        pairs = request.query_params.multi_items()
        with request.state.timing.measure("db"):
            page = await read_part(database_of(request), key, resource, part, org_id=key.org_id, name=slug, pairs=pairs)
        if page is None:
            raise _not_found(resource, slug)
        return answer_page(request, model, page, f"/{resource.name}/{slug}/{part.name}")

    _add(
        router,
        f"/{resource.name}/{{slug}}/{part.name}",
        list_part,
        model=Listing[model],  # type: ignore[valid-type]
        summary=f"List {PARTS[part.name]} of {_article(resource.noun)} {resource.noun}",
        description="The oldest first, by default. Needs the scope `read`.",
        parameters=part_parameters(part),
    )


def _add(
    router: APIRouter,
    path: str,
    endpoint: Any,
    *,
    model: type[BaseModel],
    summary: str,
    description: str,
    parameters: list[dict[str, Any]],
) -> None:
    router.add_api_route(
        path,
        endpoint,
        methods=["GET"],
        response_model=model,
        responses=NOT_MODIFIED,
        summary=summary,
        description=description,
        openapi_extra={"parameters": parameters},
        name=f"get {path}",
    )
    router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, name=f"head {path}")


async def authorize(request: Request, key: IngestKey) -> None:
    """Note the use of a key that may read; raises IngestRefused for any other."""
    if KeyScope.READ not in key.scopes:
        raise IngestRefused(
            Code.SCOPE, "This key may not read: it lacks the scope 'read'. An admin creates keys under Settings."
        )
    ingest: Ingest = request.app.state.ingest
    await ingest.record_use(key)


def database_of(request: Request) -> Database:
    """Return the database of the app that answers."""
    database: Database = request.app.state.database
    return database


def _checked_id(resource: Resource, id: str) -> str:
    if uuid_of(id) is None:
        shown = id if len(id) <= 60 else f"{id[:60]}…"
        raise IngestRefused(
            Code.INVALID, f'id is "{shown}": the id of {_article(resource.noun)} {resource.noun} is a UUID.', field="id"
        )
    return id


def _not_found(resource: Resource, name: str) -> IngestRefused:
    return IngestRefused(Code.NOT_FOUND, f"There is no {resource.name}/{name}; GET /{resource.name} lists them.")


def _about(resource: Resource) -> str:
    if resource.is_run or resource.name == "activities":
        return "Needs the scope `read`."
    return f"The {resource.name} that programs sent, without their recipients. Needs the scope `read`."


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
