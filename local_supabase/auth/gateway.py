"""What all HTTP endpoints share: the API key, bodies, bearer tokens, and errors as JSON."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.auth.keys import Claims, Verifier
from local_supabase.errors import ApiError, LocalSupabaseError, PostgresError, TokenError
from local_supabase.http.json_text import is_unicode

Endpoint = Callable[[Request], Awaitable[Response]]
BODY_LIMIT = 1024 * 1024


def with_api_key(endpoint: Endpoint, verifier: Verifier) -> Endpoint:
    """Refuse requests without a valid `apikey` (header or parameter), as the gateway of a hosted project does."""

    async def checked(request: Request) -> Response:
        key = request.headers.get("apikey") or request.query_params.get("apikey")
        if not key:
            return JSONResponse(
                {
                    "message": "No API key found in request",
                    "hint": "No `apikey` request header or url param was found.",
                },
                status_code=401,
            )
        try:
            verifier.verify(key)
        except TokenError:
            return JSONResponse(
                {
                    "message": "Invalid API key",
                    "hint": "Double check your Supabase `anon` or `service_role` API key.",
                },
                status_code=401,
            )
        return await endpoint(request)

    return checked


async def error_response(_request: Request, error: Exception) -> Response:
    """Turn our errors into the Auth server's form: `code`, `error_code`, `msg`."""
    if isinstance(error, ApiError):
        body = {"code": error.status, "error_code": error.code, "msg": str(error), **error.extra}
        return JSONResponse(body, status_code=error.status)
    if isinstance(error, psycopg.DataError):
        reason = str(error).strip().partition("\n")[0]
        body = {"code": 400, "error_code": "validation_failed", "msg": f"The value cannot be stored: {reason}"}
        return JSONResponse(body, status_code=400)
    if isinstance(error, psycopg.OperationalError | PostgresError):
        body = {"code": 503, "error_code": "unexpected_failure", "msg": "The database is not reachable: try again"}
        return JSONResponse(body, status_code=503)
    text = str(error) if isinstance(error, LocalSupabaseError) else "Internal Server Error"
    return JSONResponse({"code": 500, "error_code": "unexpected_failure", "msg": text}, status_code=500)


async def json_body(request: Request) -> dict[str, Any]:
    """Read a JSON object of limited size; raises ApiError."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_LIMIT:
            raise ApiError(413, "request_too_large", f"The body is larger than {BODY_LIMIT} bytes")
        chunks.append(chunk)
    try:
        text = b"".join(chunks).decode() or "{}"
        body = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: {error}") from error
    if not isinstance(body, dict) or not is_unicode(text, body):
        raise ApiError(400, "bad_json", "Could not parse request body as JSON: an object is expected")
    return body


def bearer_claims(request: Request, verifier: Verifier) -> Claims:
    """Return the claims of the bearer token; raises ApiError as the Auth server does."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "no_authorization", "This endpoint requires a valid Bearer token")
    try:
        return verifier.verify(token.strip())
    except TokenError as error:
        reason = "token is expired" if "expired" in str(error) else "unable to parse or verify signature"
        raise ApiError(403, "bad_jwt", f"invalid JWT: {reason}, {error}") from error
