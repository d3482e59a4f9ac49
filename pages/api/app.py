"""The ingest API under /api/v1: programs report over HTTP with a key of their organisation, and with nothing else."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import FastAPI, Path, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException

from pages.api import models
from pages.api.docs import docs_page, openapi_of
from pages.api.endpoints import (
    ENDPOINTS,
    MAX_BYTES,
    PREFIX,
    Endpoint,
    answer_of,
    endpoint_of,
    failure_of,
    no_such_request,
    operation_of,
    parsed,
    validated,
)
from pages.api.feed import Change, feed_response
from pages.page.public_url import public_url
from services.errors import IngestRefused
from services.ingest import Code, EventStreamHub, Ingest, IngestKey, Operation, Outcome

Handler = Callable[..., Awaitable[Response]]


def create_api(ingest: Ingest, tails: EventStreamHub) -> FastAPI:
    """The API as an application of its own, to be mounted at /api/v1; a cookie means nothing to it."""
    api = FastAPI(title="Livewatch ingest API", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    api.add_exception_handler(IngestRefused, _refuse)
    api.add_exception_handler(HTTPException, _refuse_route)
    for endpoint in ENDPOINTS:
        api.add_api_route(
            endpoint.path,
            _handler(ingest, endpoint),
            methods=[endpoint.method],
            response_model=endpoint.answer,
            summary=endpoint.summary,
            name=f"{endpoint.verb}_{endpoint.target}",
        )
    api.add_api_route(
        "/batch", _batch(ingest), methods=["POST"], response_model=models.BatchAnswer, summary="Several at once"
    )
    api.add_api_route("/me", _me(ingest), methods=["GET"], response_model=models.Me, summary="Check a key")
    api.add_api_route(
        "/feed",
        _feed(ingest, tails),
        methods=["GET"],
        summary="Follow runs as server-sent events",
        responses={200: {"model": Change, "description": "Events `change`; comments say that the server is there."}},
    )
    document = openapi_of(api)

    @api.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(document)

    @api.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_page(document, address=public_url(request)))

    return api


def _handler(ingest: Ingest, endpoint: Endpoint) -> Handler:
    async def serve(request: Request, slug: str | None) -> Response:
        key = await _authenticated(ingest, request)
        operation = operation_of(endpoint, slug, parsed(await _body(request)), request.headers.get("idempotency-key"))
        (outcome,) = await ingest.apply(key, [operation])
        if isinstance(outcome, IngestRefused):
            raise outcome
        status, body = answer_of(endpoint, operation, outcome)
        return JSONResponse(body, status)

    if not endpoint.has_slug:

        async def post(request: Request) -> Response:
            return await serve(request, None)

        return post

    async def put(request: Request, slug: Annotated[str, Path(description="The name of the run.")]) -> Response:
        return await serve(request, slug)

    return put


def _batch(ingest: Ingest) -> Handler:
    async def batch(request: Request) -> Response:
        key = await _authenticated(ingest, request)
        asked = validated(models.Batch, parsed(await _body(request))).operations
        planned = [_planned(each, index) for index, each in enumerate(asked)]
        wanted = [each[1] for each in planned if not isinstance(each, IngestRefused)]
        outcomes = iter(await ingest.apply(key, wanted) if wanted else [])
        results = []
        for each in planned:
            if isinstance(each, IngestRefused):
                status, body = failure_of(each)
            else:
                status, body = _told(*each, next(outcomes))
            results.append({"status": status, "body": body})
        return JSONResponse({"results": results})

    return batch


def _planned(asked: Any, index: int) -> tuple[Endpoint, Operation] | IngestRefused:
    """What one operation of a batch asks for, or why it cannot be done."""
    try:
        each = validated(models.BatchOperation, asked)
        endpoint, slug = endpoint_of(each.method, each.path.split("?")[0])
        return endpoint, operation_of(endpoint, slug, each.body, each.idempotency_key)
    except IngestRefused as refusal:
        return refusal


def _told(endpoint: Endpoint, operation: Operation, outcome: Outcome) -> tuple[int, dict[str, Any]]:
    return failure_of(outcome) if isinstance(outcome, IngestRefused) else answer_of(endpoint, operation, outcome)


def _me(ingest: Ingest) -> Handler:
    async def me(request: Request) -> Response:
        key = await _authenticated(ingest, request)
        await ingest.touch(key)
        answer = models.Me(
            organization=models.Named(id=key.org_id, name=key.org_name),
            key=models.Named(id=key.id, name=key.label),
            scopes=sorted(key.scopes),
            url=public_url(request),
        )
        return JSONResponse(answer.model_dump(mode="json"))

    return me


def _feed(ingest: Ingest, tails: EventStreamHub) -> Handler:
    async def feed(request: Request) -> Response:
        key = await _authenticated(ingest, request)
        await ingest.touch(key)
        return feed_response(tails, key)

    return feed


async def _authenticated(ingest: Ingest, request: Request) -> IngestKey:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return await ingest.authenticate(token.strip() if scheme.lower() == "bearer" else "")


async def _body(request: Request) -> bytes:
    """The body, as long as it is small enough; its announced length is not trusted."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > MAX_BYTES:
        raise _too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BYTES:
            raise _too_large()
        parts.append(part)
    return b"".join(parts)


def _too_large() -> IngestRefused:
    return IngestRefused(Code.TOO_LARGE, "The body is larger than 1 MiB: send it in several parts.")


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, IngestRefused)
    status, body = failure_of(error)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, -int(-error.retry_after // 1)))
    if error.code == Code.BAD_KEY:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers)


async def _refuse_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return await _refuse(request, no_such_request(request.method, request.url.path.removeprefix(PREFIX)))
