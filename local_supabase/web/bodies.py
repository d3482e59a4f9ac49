"""Request bodies: size-limited reading and JSON parsing."""

import json
from typing import Any

from starlette.requests import Request

from local_supabase.errors import ApiError
from local_supabase.web.json_text import is_encodable

MAX_BODY_BYTES = 1024 * 1024


async def read_body(request: Request, *, max_bytes: int = MAX_BODY_BYTES) -> bytes:
    """Read the body; raises ApiError (413) as soon as it exceeds `max_bytes`."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise ApiError(413, "request_too_large", f"The body is larger than {max_bytes} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def read_json_object(request: Request, *, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """Read the body as a JSON object; an empty body is an empty object. Raises ApiError (400, 413)."""
    value = parse_json(await read_body(request, max_bytes=max_bytes) or b"{}")
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", "Could not parse request body as JSON: an object is expected")
    return value


def parse_json(data: bytes) -> Any:
    """Parse JSON text that can also be encoded again; raises ApiError (400)."""
    try:
        text = data.decode()
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: {error}") from error
    if not is_encodable(text, value):
        raise ApiError(400, "bad_json", "Could not parse request body as JSON: half of a surrogate pair")
    return value
