"""Endpoint that stores an artefact of a run, whose body is its bytes."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import AfterValidator, BaseModel

from pages.api.fields import RunPath
from pages.api.requests import Key
from pages.api.results.models import check_name
from pages.page.bodies import read_at_most
from services.errors import DatabaseUnavailable, IngestRefused, NotAccepted
from services.infra.database import Database
from services.ingest import Code, KeyScope
from services.results.artefact_files import ArtefactFiles, FilesUnavailable
from services.results.artefacts import MAX_ARTEFACT_BYTES, store_artefact

MAX_NAME_CHARACTERS = 200
RETRY_SECONDS = 2.0

ArtefactName = Annotated[
    str,
    Query(
        min_length=1,
        max_length=MAX_NAME_CHARACTERS,
        description="Name within the run; an artefact with a known name replaces that one.",
        examples=["confusion.png"],
    ),
    AfterValidator(check_name),
]


class ArtefactResult(BaseModel):
    """Result of storing an artefact."""

    id: UUID


def add_artefact_routes(router: APIRouter) -> None:
    """Add the endpoint."""
    body: dict[str, Any] = {
        "requestBody": {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    }

    @router.post(
        "/artefacts",
        response_model=ArtefactResult,
        status_code=201,
        openapi_extra=body,
        summary="Store an artefact of a run",
    )
    async def store(
        request: Request,
        key: Key,
        run: Annotated[RunPath, Query(description="Path of the run.")],
        name: ArtefactName,
        kind: Annotated[
            Literal["file", "image", "table", "markdown"],
            Query(description="How the page shows it. An image is PNG, JPEG, GIF or WebP; others are files."),
        ] = "file",
    ) -> Response:
        """The body is its bytes, at most 20 MiB: of a table, JSON of `columns` and `rows` with at most 100,000 cells,
        and of a Markdown text at most 200,000 bytes. A run has at most 500 artefacts, an organisation 5 GiB of them.
        """
        if KeyScope.RUNS not in key.scopes:
            raise IngestRefused(
                Code.SCOPE, "This key may not report artefacts: it lacks the scope 'runs'. An admin creates keys."
            )
        content = await read_at_most(MAX_ARTEFACT_BYTES, request, _too_large)
        database: Database = request.app.state.database
        files: ArtefactFiles = request.app.state.files
        try:
            with request.state.timing.measure("db"):
                stored = await store_artefact(
                    database, files, key, key.org_id, run=run, name=name, kind=kind, content=content
                )
        except NotAccepted as error:
            raise IngestRefused(Code.INVALID, str(error), field="kind") from error
        except (DatabaseUnavailable, FilesUnavailable) as error:
            raise IngestRefused(
                Code.UNAVAILABLE, f"The artefact was not stored; send it again. {error}", retry_after=RETRY_SECONDS
            ) from error
        if "refused" in stored:
            raise IngestRefused(Code(stored["refused"]), stored["message"], field=stored["field"])
        return JSONResponse(stored, 201)


def _too_large() -> IngestRefused:
    return IngestRefused(
        Code.TOO_LARGE,
        f"The artefact is larger than {MAX_ARTEFACT_BYTES // 2**20} MiB. Store it in parts, or elsewhere.",
    )
