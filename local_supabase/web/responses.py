"""Error responses in the Auth server's format: `code`, `error_code`, `msg`."""

from collections.abc import Awaitable, Callable

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local_supabase.errors import ApiError, LocalSupabaseError, PostgresError

Endpoint = Callable[[Request], Awaitable[Response]]


async def error_response(_request: Request, error: Exception) -> Response:
    """Convert an exception to a JSON response; unexpected ones become a 500 without details."""
    if isinstance(error, ApiError):
        return _response(error.status, error.code, str(error), **error.extra)
    if isinstance(error, psycopg.DataError):
        reason = str(error).strip().partition("\n")[0]
        return _response(400, "validation_failed", f"The value cannot be stored: {reason}")
    if isinstance(error, psycopg.OperationalError | PostgresError):
        return _response(503, "unexpected_failure", "The database is not reachable: try again")
    message = str(error) if isinstance(error, LocalSupabaseError) else "Internal Server Error"
    return _response(500, "unexpected_failure", message)


def _response(status: int, code: str, message: str, **extra: object) -> Response:
    return JSONResponse({"code": status, "error_code": code, "msg": message, **extra}, status_code=status)
