"""Endpoints that close, archive and delete runs."""

from fastapi import APIRouter
from fastapi.responses import Response

from pages.api import models, responses
from pages.api.operations import RUN_TARGETS, TIDYING
from pages.api.requests import Call, Slug
from services.ingest import Target, Verb

NOUNS = {Target.STREAMS: "a stream", Target.SCANS: "a scan", Target.AGENTS: "an agent execution"}


def add_tidying_routes(router: APIRouter) -> None:
    """Add the endpoints of every kind of run."""
    for target in RUN_TARGETS:
        _add_routes(router, target)


def _add_routes(router: APIRouter, target: Target) -> None:
    noun = NOUNS[target]
    operations = {verb: TIDYING[target, verb] for verb in (Verb.CLOSE, Verb.ARCHIVE, Verb.UNARCHIVE, Verb.DELETE)}

    @router.post(operations[Verb.CLOSE].path, response_model=responses.WriteResult, summary=f"Close {noun}")
    async def close_run(slug: Slug, close: models.Close, call: Call) -> Response:
        """End an unfinished run as cancelled; its program is not stopped, and its further reports are rejected."""
        return await call.write(operations[Verb.CLOSE], close, slug)

    @router.post(operations[Verb.ARCHIVE].path, response_model=responses.WriteResult, summary=f"Archive {noun}")
    async def archive_run(slug: Slug, call: Call) -> Response:
        """Move a run out of the lists; it stays under the filter Archived."""
        return await call.write(operations[Verb.ARCHIVE], models.Empty(), slug)

    @router.post(operations[Verb.UNARCHIVE].path, response_model=responses.WriteResult, summary=f"Unarchive {noun}")
    async def unarchive_run(slug: Slug, call: Call) -> Response:
        """Move an archived run back into the lists."""
        return await call.write(operations[Verb.UNARCHIVE], models.Empty(), slug)

    @router.delete(operations[Verb.DELETE].path, response_model=responses.DeleteResult, summary=f"Delete {noun}")
    async def delete_run(slug: Slug, call: Call) -> Response:
        """Delete a run with its log, its history and, of a stream, its agent executions. This cannot be undone.

        A program that still reports the slug creates a new run.
        """
        return await call.write(operations[Verb.DELETE], models.Empty(), slug)
