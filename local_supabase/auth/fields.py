"""Validated fields of request bodies and query strings; each raises ApiError (400, 422) with GoTrue's codes."""

import re
import uuid
from collections.abc import Collection
from datetime import timedelta
from typing import Any

from starlette.requests import Request

from local_supabase.errors import ApiError

# A valid e-mail address of the HTML standard, section 4.10.5.1.5.
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
EMAIL_PATTERN = re.compile(rf"[a-zA-Z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})*")
MAX_EMAIL_LENGTH = 255
MAX_ROLE_LENGTH = 255
# A duration as Go writes it: "300ms", "1.5h", "2h45m"; its largest is 2^63 - 1 nanoseconds.
DURATION_PATTERN = re.compile(r"[-+]?(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+")
DURATION_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
MAX_DURATION_SECONDS = (2**63 - 1) / 1e9
# Options of a hosted project that the local Supabase does not have, by field: what is said when one is given.
UNSUPPORTED = {
    "phone": "Phone numbers are not supported by the local Supabase",
    "phone_confirm": "Phone numbers are not supported by the local Supabase",
    "channel": "Phone numbers are not supported by the local Supabase",
}


def check_known(body: dict[str, Any], known: Collection[str]) -> None:
    """Raise ApiError if a field has a value and is not `known`, so that no option is ignored silently."""
    for name, value in body.items():
        if name in known or value in (None, "", False):
            continue
        if name in UNSUPPORTED:
            raise ApiError(422, "phone_provider_disabled", f"{UNSUPPORTED[name]}: `{name}`")
        raise ApiError(400, "validation_failed", f"The local Supabase does not know the field `{name}` here: remove it")


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


def flag_field(body: dict[str, Any], name: str, *, default: bool = False) -> bool:
    """Return a boolean field; an absent or null one is the default."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not a boolean")
    return value


def object_field(body: dict[str, Any], name: str) -> dict[str, Any]:
    """Return a copy of an object field; an absent or null one is empty."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ApiError(400, "bad_json", f"Could not parse request body as JSON: `{name}` is not an object")
    return dict(value)


def email_field(body: dict[str, Any], name: str = "email") -> str | None:
    """Return a normalized address, None if the field is absent or empty."""
    return normalize_email(text_field(body, name)) if body.get(name) else None


def uuid_field(body: dict[str, Any], name: str) -> uuid.UUID | None:
    """Return a UUID, None if the field is absent or empty."""
    text = text_field(body, name)
    if not text:
        return None
    try:
        value = uuid.UUID(text)
    except ValueError as error:
        raise ApiError(400, "validation_failed", "ID must conform to the uuid v4 format") from error
    if value.int == 0:
        raise ApiError(400, "validation_failed", "ID cannot be a nil uuid")
    return value


def role_field(body: dict[str, Any], name: str = "role") -> str | None:
    """Return the name of a role, None if the field is absent or empty."""
    role = text_field(body, name)
    if len(role) > MAX_ROLE_LENGTH:
        raise ApiError(400, "validation_failed", f"`{name}` is longer than {MAX_ROLE_LENGTH} characters")
    return role or None


def ban_field(body: dict[str, Any], name: str = "ban_duration") -> timedelta | None:
    """Return how long to ban: a duration as Go writes it, zero for `none`; None if the field is absent or empty."""
    text = text_field(body, name)
    if text in ("", "none", "0"):
        return timedelta(0) if text else None
    if not DURATION_PATTERN.fullmatch(text):
        raise ApiError(400, "validation_failed", f'invalid format for ban duration: time: invalid duration "{text}"')
    parts = re.findall(r"([0-9.]+)([a-zµμ]+)", text)
    seconds = sum(float(number) * DURATION_UNITS[unit] for number, unit in parts)
    if seconds > MAX_DURATION_SECONDS:
        raise ApiError(400, "validation_failed", f'invalid format for ban duration: time: invalid duration "{text}"')
    return timedelta(seconds=-seconds if text.startswith("-") else seconds)


def positive_parameter(request: Request, name: str, default: int) -> int:
    """Return a query parameter as an integer of at least 1."""
    try:
        value = int(request.query_params.get(name) or default)
    except ValueError:
        value = 0
    if not 1 <= value < 2**31:
        raise ApiError(400, "validation_failed", f"Bad Pagination Parameters: {name}")
    return value


def normalize_email(email: str) -> str:
    """Return the address trimmed and in lower case."""
    address = email.strip().lower()
    if len(address) > MAX_EMAIL_LENGTH:
        raise ApiError(400, "validation_failed", "An email address is too long")
    if not EMAIL_PATTERN.fullmatch(address):
        raise ApiError(400, "validation_failed", "Unable to validate email address: invalid format")
    return address
