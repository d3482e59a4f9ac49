"""Operations: the writes that Livewatch is asked for, each with the key under which it is done once."""

import json
import math
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME_LENGTH = 200
TEXT_LENGTH = 2_000
ERROR_LENGTH = 500
WHOLE_MAX = 2**53
DEPTH = 20


@dataclass(frozen=True)
class Operation:
    """One write; `path` is relative to /api/v1, `body` is JSON text.

    `key` stays the same however often it is sent. A `passing` operation says nothing that a later one of the same
    path does not say anew, so it may be dropped for that.
    """

    method: str
    path: str
    body: str
    key: str
    passing: bool = False


def new_key() -> str:
    return uuid.uuid4().hex


def encode(body: Mapping[str, Any]) -> str:
    """JSON that any server takes: no NaN, no NUL, no half characters; what cannot be told as JSON is told as text."""
    return json.dumps(plain(body), allow_nan=False, separators=(",", ":"))


def plain(value: Any, depth: int = DEPTH) -> Any:
    """A copy of JSON values only; a cycle is cut at a depth of 20."""
    if isinstance(value, Mapping) and depth:
        return {text(name): plain(each, depth - 1) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset) and depth:
        return [plain(each, depth - 1) for each in value]
    if isinstance(value, int) and abs(value) <= WHOLE_MAX:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return None if value is None else text(value)


def text(value: object, length: int = TEXT_LENGTH) -> str:
    """As text that a database takes, cut at `length` with a mark; never raises."""
    try:
        whole = str(value)
    except Exception:
        whole = type(value).__name__
    whole = whole.replace("\x00", "").encode("utf-8", "replace").decode()
    return whole if len(whole) <= length else whole[: length - 1] + "…"


def count_of(value: Any) -> int | None:
    """A count from what a program counts with, not negative; None where it is none, as of infinity."""
    try:
        return max(0, min(int(value), WHOLE_MAX))
    except (TypeError, ValueError, OverflowError):
        return None


def slug_of(name: str, *, unique: bool = True) -> str:
    """A slug that shows the name: `nightly-import-3f2a9c01d4e5` when unique, else `nightly-import`."""
    stem = re.sub(r"[^A-Za-z0-9._:-]+", "-", name).strip("-")[:80].lower() or "run"
    return f"{stem}-{uuid.uuid4().hex[:12]}" if unique else stem


def checked_slug(slug: object) -> str:
    """The slug that was asked for, where the API takes it, else the nearest to it."""
    asked = text(slug)
    return asked if re.fullmatch(r"[A-Za-z0-9._:-]{1,120}", asked) else slug_of(asked, unique=False)


def summary_of(error: BaseException) -> str:
    """Type and message of an exception on one line, cut; nothing of its variables."""
    name, message = type(error).__qualname__, " ".join(text(error).split())
    return text(f"{name}: {message}" if message else name, ERROR_LENGTH)
