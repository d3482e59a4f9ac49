"""Validated fields of request bodies and query strings; each raises ApiError (400) with GoTrue's codes."""

import re
from typing import Any

from starlette.requests import Request

from local_supabase.errors import ApiError

EMAIL_PATTERN = re.compile(r"^[^@\s]{1,64}@[^@\s]+\.?[^@\s]*$")
MAX_EMAIL_LENGTH = 255


def text_field(body: dict[str, Any], name: str) -> str:
    """Return a string field; an absent or null one is empty."""
    value = body.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not a string")
    if "\0" in value:
        raise ApiError(400, "validation_failed", f"`{name}` contains a null character")
    return value


def object_field(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a copy of an object field; an absent or null one is empty."""
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not an object")
    return dict(value)


def email_field(body: dict[str, Any], name: str = "email") -> str | None:
    """Return a normalized address, None if the field is absent or empty."""
    return normalize_email(text_field(body, name)) if body.get(name) else None


def positive_parameter(request: Request, name: str, default: int) -> int:
    """Return a query parameter as an integer of at least 1."""
    try:
        value = int(request.query_params.get(name) or default)
    except ValueError:
        value = 0
    if value < 1:
        raise ApiError(400, "validation_failed", f"Bad Pagination Parameters: {name}")
    return value


def normalize_email(email: str) -> str:
    """Return the address trimmed and in lower case."""
    address = email.strip().lower()
    if len(address) > MAX_EMAIL_LENGTH or "\0" in address or not EMAIL_PATTERN.match(address):
        raise ApiError(400, "validation_failed", "Unable to validate email address: invalid format")
    return address
