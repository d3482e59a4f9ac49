"""Failures of the API: status codes, messages of validation errors, and error responses."""

import json
import math
from collections.abc import Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from pages.api import responses
from pages.api.models import RunBody
from services.errors import IngestRefused
from services.ingest import Code

PREFIX = "/api/v1"
STATUSES = {
    Code.MALFORMED: 400,
    Code.BAD_KEY: 401,
    Code.SCOPE: 403,
    Code.NOT_FOUND: 404,
    Code.WRONG_METHOD: 405,
    Code.FINISHED: 409,
    Code.IDEMPOTENCY_CONFLICT: 409,
    Code.TOO_LARGE: 413,
    Code.INVALID: 422,
    Code.RATE: 429,
    Code.UNAVAILABLE: 503,
}
MEANINGS = {
    400: "`malformed`: the body is not JSON, or compressed otherwise than by gzip or deflate",
    401: "`bad_key`: the key is unknown or was revoked",
    403: "`scope`: the key lacks the scope for this",
    404: "`not_found`: there is no such row or endpoint",
    405: "`wrong_method`: the endpoint has another method, named in `Allow`",
    409: "`finished`: a finished run is not rewritten; or `idempotency_conflict`: the same key with another body",
    413: "`too_large`: the body is larger than 1 MiB",
    422: "`invalid`: `field` names the invalid field or parameter",
    429: "`rate`: too many requests; `Retry-After` says when to try again",
    503: "`unavailable`: the database does not respond; `Retry-After` says when to try again",
}
FAILURES: dict[int | str, dict[str, Any]] = {
    status: {"model": responses.Failure, "description": meaning} for status, meaning in MEANINGS.items()
}
"""The failure responses of every endpoint, for OpenAPI."""
MAX_VALUE_CHARACTERS = 80

M = TypeVar("M", bound=BaseModel)


def add_error_handlers(api: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Answer refusals, invalid requests and requests that fit none of the routes in the API's own format."""
    api.state.routes = routes
    api.add_exception_handler(IngestRefused, _on_refusal)
    api.add_exception_handler(RequestValidationError, _on_invalid_request)
    api.add_exception_handler(HTTPException, _on_http_error)


def failure_of(refusal: IngestRefused) -> tuple[int, dict[str, Any]]:
    """Return the status code and the response body of a refusal."""
    error = {"code": refusal.code, "message": str(refusal)}
    if refusal.field:
        error["field"] = refusal.field
    return STATUSES[Code(refusal.code)], {"error": error}


def validated(model: type[M], value: Any, *, clock_error: timedelta | None = None) -> M:
    """Validate a value; raises IngestRefused that names the first invalid field and its value.

    Args:
        model: Model of the value.
        value: The value.
        clock_error: By how much the clock is slow by which times in the value were taken.
    """
    try:
        return model.model_validate(value, context=clock_error)
    except ValidationError as error:
        raise invalid(error.errors(include_url=False)[0]) from error


def good_fields(model: type[RunBody], value: Any) -> tuple[Any, list[IngestRefused]]:
    """Split the body of a run's report.

    Returns:
        The body without its invalid fields, and a refusal for each of those.

    Raises:
        IngestRefused: No field is good, or one that is essential is invalid.
    """
    ignored: list[IngestRefused] = []
    if not isinstance(value, dict):
        return value, ignored
    good = dict(value)
    while True:
        try:
            model.model_validate(good)
        except ValidationError as error:
            problems: dict[str, IngestRefused] = {}
            for problem in error.errors(include_url=False):
                refusal = invalid(problem)
                problems.setdefault((refusal.field or "").partition(".")[0], refusal)
            for field, refusal in problems.items():
                if field not in good or field in model.essential_fields:
                    raise refusal from error
                del good[field]
                ignored.append(refusal)
        else:
            break
    if ignored and not good:
        raise ignored[0]
    return good, ignored


def wrong_method(method: str, path: str, allowed: str) -> IngestRefused:
    """Return the refusal of a request with the wrong method."""
    return IngestRefused(Code.WRONG_METHOD, f"{path[:200]} does not take {method}: use {allowed}.")


def no_such_endpoint(method: str, path: str) -> IngestRefused:
    """Return the refusal of a request to an unknown endpoint."""
    return IngestRefused(
        Code.NOT_FOUND, f"There is no {method} {path[:200]}; {PREFIX}/docs lists the endpoints.", field=None
    )


def invalid(problem: Any) -> IngestRefused:
    """Return the refusal for one of pydantic's error details, whose `loc` is relative to the body."""
    path = [str(part) for part in problem["loc"] if not str(part).startswith(("function-", "constrained-"))]
    message = problem["msg"].removeprefix("Value error, ")
    name = ".".join(path)
    if not path and problem["type"] == "value_error":
        name, _, message = message.partition(": ")
        return IngestRefused(Code.INVALID, f"{name}: {message}.", field=name)
    if not path:
        return IngestRefused(Code.INVALID, f"The body must be a JSON object, not {_shown(problem['input'])}.")
    if problem["type"] == "missing":
        return IngestRefused(Code.INVALID, f"{name} is missing.", field=name)
    reason = _reason(problem["type"], path, message)
    return IngestRefused(Code.INVALID, f"{name} is {_shown(problem['input'])}: {reason}.", field=name)


def _reason(kind: str, path: Sequence[str], message: str) -> str:
    match kind:
        case "extra_forbidden":
            return "there is no such field; see the documentation for the fields"
        case "string_pattern_mismatch" | "string_too_long" | "string_too_short" if path[-1] in ("slug", "stream"):
            return "a slug has 1 to 120 characters out of A-Z a-z 0-9 . _ : - and not only dots"
        case "string_pattern_mismatch" if path[0] in ("run", "runs"):
            return 'the path of a run is "streams/<slug>", "scans/<slug>" or "agents/<slug>"'
        case "string_pattern_mismatch":
            return "it must begin with /, http:// or https://"
        case _:
            return message[:1].lower() + message[1:]


def _shown(value: Any) -> str:
    shown = json.dumps(value, ensure_ascii=False, default=str)
    return shown if len(shown) <= MAX_VALUE_CHARACTERS else f"{shown[: MAX_VALUE_CHARACTERS - 1]}…"


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, IngestRefused)
    status, body = failure_of(error)
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if error.code == Code.BAD_KEY:
        headers["WWW-Authenticate"] = "Bearer"
    if timing := getattr(request.state, "timing", None):
        headers["Server-Timing"] = timing.as_header()
    return JSONResponse(body, status, headers)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problem = error.errors()[0]
    # The first part of the location is "body", "path" or "header".
    return await _on_refusal(request, invalid({**problem, "loc": problem["loc"][1:]}))


def _allowed_methods(request: Request) -> str:
    # The header of Starlette's error has only the methods of the first endpoint with this path.
    matching = (each for each in request.app.state.routes if each.matches(request.scope)[0] is Match.PARTIAL)
    return ", ".join(sorted({method for each in matching for method in each.methods}))


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = _allowed_methods(request)
        response = await _on_refusal(
            request, wrong_method(request.method, request.url.path.removeprefix(PREFIX), allowed)
        )
        response.headers["Allow"] = allowed
        return response
    return await _on_refusal(request, no_such_endpoint(request.method, request.url.path.removeprefix(PREFIX)))
