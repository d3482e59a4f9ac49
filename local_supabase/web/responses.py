"""Error responses in the Auth server's format: `code`, `error_code`, `msg`."""

from collections.abc import Awaitable, Callable

import psycopg
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.errors import ApiError, LocalSupabaseError, PostgresError
from local_supabase.web.unsupported import api_error

Endpoint = Callable[[Request], Awaitable[Response]]


async def error_response(request: Request, error: Exception) -> Response:
    """Convert an exception to a JSON response; unexpected ones become a 500 without details."""
    refusal = _as_api_error(request, error)
    message = str(refusal)
    body = {"code": refusal.status, "error_code": refusal.code, "msg": message, **refusal.extra}
    if not request.url.path.startswith("/auth/"):
        # The clients of other services than Auth read `message`.
        body["message"] = message
    return JSONResponse(body, status_code=refusal.status, headers=getattr(error, "headers", None))


def _as_api_error(request: Request, error: Exception) -> ApiError:
    if isinstance(error, ApiError):
        return error
    if isinstance(error, HTTPException):
        return api_error(request, error)
    if isinstance(error, psycopg.DataError):
        reason = str(error).strip().partition("\n")[0]
        return ApiError(400, "validation_failed", f"The value cannot be stored: {reason}")
    if isinstance(error, psycopg.OperationalError | PostgresError):
        return ApiError(503, "unexpected_failure", "The database is not reachable: try again")
    message = str(error) if isinstance(error, LocalSupabaseError) else "Internal Server Error"
    return ApiError(500, "unexpected_failure", message)
