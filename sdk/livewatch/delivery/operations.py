"""API operations: single writes with idempotency keys, and the conversion of any value to what the API accepts."""

import hashlib
import json
import math
import operator
import re
import unicodedata
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from livewatch.delivery.clock import Moment

MAX_NAME_CHARACTERS = 200
MAX_TEXT_CHARACTERS = 2_000
MAX_ERROR_CHARACTERS = 500
# Beyond this, JSON readers that use doubles round.
MAX_INTEGER = 2**53
MAX_JSON_DEPTH = 20
MAX_TAGS = 20
MAX_TAG_CHARACTERS = 40
# As JSON; the server takes 16,000.
MAX_METADATA_CHARACTERS = 15_900
# Sums of binary fractions are noise beyond: 0.1 ten times is 1.
SIGNIFICANT_DIGITS = 12


@dataclass(frozen=True)
class Operation:
    """One write to the API.

    Attributes:
        method: PUT, POST or DELETE.
        path: Relative to /api/v1.
        body: JSON text.
        idempotency_key: Unchanged across retries; the server carries the operation out once per key.
        coalescable: Whether a later coalescable operation of the same path supersedes it.
        made: When it was reported.
    """

    method: str
    path: str
    body: str
    idempotency_key: str
    coalescable: bool = False
    made: Moment = field(default_factory=Moment, compare=False)


def new_idempotency_key() -> str:
    """Return 32 random hex digits."""
    return uuid.uuid4().hex


def encode(body: Mapping[str, Any]) -> str:
    """Encode as compact JSON without NaN, NUL or lone surrogates; values that JSON lacks become text."""
    return json.dumps(plain(body), allow_nan=False, separators=(",", ":"))


def encode_batch(operations: Sequence[Operation], ages: Sequence[float]) -> str:
    """Encode the body of a batch request; the bodies of the operations are JSON already.

    Args:
        operations: The operations, in order.
        ages: Seconds since each was reported. The server dates them by that, however wrong the clock here is.
    """
    return '{"operations":[' + ",".join(map(_encoded, operations, ages)) + "]}"


def _encoded(operation: Operation, age: float) -> str:
    method, path, key = (json.dumps(each) for each in (operation.method, operation.path, operation.idempotency_key))
    made_at = json.dumps(iso_time(operation.made.epoch))
    return (
        f'{{"method":{method},"path":{path},"body":{operation.body},"idempotency_key":{key},'
        f'"age":{round(age, 3)},"made_at":{made_at}}}'
    )


def iso_time(epoch: float) -> str:
    """Format an epoch time as ISO 8601 in UTC; a time that no calendar has becomes 1970."""
    try:
        return datetime.fromtimestamp(epoch, timezone.utc).isoformat()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, timezone.utc).isoformat()


def plain(value: Any, depth: int = MAX_JSON_DEPTH) -> Any:
    """Copy a value as JSON types; what is nested deeper than `depth`, as a cycle is, becomes text."""
    if isinstance(value, Mapping) and depth:
        return {text(name): plain(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [plain(each, depth - 1) for each in value]
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is None else text(value)


def without_none(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Copy the fields whose value is not None."""
    return {name: value for name, value in fields.items() if value is not None}


def text(value: object, max_characters: int = MAX_TEXT_CHARACTERS) -> str:
    """Convert to text that PostgreSQL stores, truncated with an ellipsis. Never raises."""
    try:
        whole = str(value)
    except Exception:
        whole = type(value).__name__
    whole = whole.replace("\x00", "").encode("utf-8", "replace").decode()
    return whole if len(whole) <= max_characters else whole[: max_characters - 1] + "…"


def amount_of(value: object) -> float | None:
    """Convert to an amount between 0 and 2**53: an int if it is integral, else rounded to 12 digits.

    Returns:
        None for what is not such a number, like NaN, infinity, a negative number or a text.
    """
    if isinstance(value, str | bytes):
        return None
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        try:
            fraction = float(value)  # type: ignore[arg-type]
        except Exception:
            return None
        if not math.isfinite(fraction):
            return None
        fraction = float(f"{fraction:.{SIGNIFICANT_DIGITS}g}") if not fraction.is_integer() else fraction
        if not 0 <= fraction <= MAX_INTEGER:
            return None
        return int(fraction) if fraction.is_integer() else fraction
    return number if 0 <= number <= MAX_INTEGER else None


def metadata_of(value: object) -> dict[str, Any] | None:
    """Convert to JSON metadata; None if it is not a mapping or is larger than the server takes."""
    if not isinstance(value, Mapping):
        return None
    metadata: dict[str, Any] = plain(value)
    return metadata if len(json.dumps(metadata)) <= MAX_METADATA_CHARACTERS else None


def tags_of(value: object, known: Sequence[str] = ()) -> tuple[list[str], list[object]]:
    """Return the tags that are known with further ones, one text or several; and what is no tag, or one too many."""
    tags, refused = list(known), list[object]()
    for each in [value] if isinstance(value, str) or not isinstance(value, Iterable) else value:
        tag = text(each).strip()
        if tag in tags:
            continue
        if 1 <= len(tag) <= MAX_TAG_CHARACTERS and len(tags) < MAX_TAGS:
            tags.append(tag)
        else:
            refused.append(each)
    return tags, refused


def title_of(value: object, default: str, max_characters: int = MAX_NAME_CHARACTERS) -> str:
    """Convert to a title; a blank one becomes the default."""
    title = text(value, max_characters)
    return title if title.strip() else default


def slug_of(name: str, *, unique: bool = True) -> str:
    """Make a slug from a name: `nightly-import@3f2a9c01d4e5`, a run of that job, if unique; else `nightly-import`.

    Names that differ in what a slug cannot hold, as letters of other scripts, have slugs of their own.
    """
    stem = _slug_part(name.lower(), 80, "run")
    return keyed_slug(stem, uuid.uuid4().hex[:12]) if unique else stem


def keyed_slug(job: str, key: object) -> str:
    """Return the slug of the run that `key` names among those of a job."""
    return f"{job}@{_slug_part(text(key), 55, 'key')}"


def _slug_part(name: str, max_characters: int, default: str) -> str:
    """Return a name with only the characters of slugs; with a digest, nine characters more, if something was lost."""
    words = re.sub(r"[^A-Za-z0-9._:-]+", "-", name).strip("-.")
    part = words[:max_characters].rstrip("-.") or default
    if len(words) > max_characters or any(map(_is_lost, name)):
        return f"{part}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return part


def _is_lost(character: str) -> bool:
    """Whether a letter, mark, number or symbol cannot be in a slug; punctuation is no loss."""
    return not character.isascii() and unicodedata.category(character)[0] in "LMNS"


def checked_slug(slug: object) -> str:
    """Return the slug if the API accepts it, else the closest one that it accepts."""
    job, at, key = text(slug).partition("@")
    if not re.fullmatch(r"(?!\.+$)[A-Za-z0-9._:-]{1,120}", job):
        job = slug_of(job, unique=False)
    if not at or re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", key):
        return f"{job}{at}{key}"
    return keyed_slug(job, key)


def summary_of(error: BaseException) -> str:
    """Summarise an exception as `Type: message` on one truncated line, without its variables."""
    name, message = type(error).__qualname__, " ".join(text(error).split())
    return text(f"{name}: {message}" if message else name, MAX_ERROR_CHARACTERS)
