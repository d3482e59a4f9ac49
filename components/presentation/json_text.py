"""Text of JSON files of rows."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

JSON_TYPE = "application/json"


def json_line(names: Sequence[str], values: Sequence[Any]) -> str:
    """Return one row as an object on one line; times are in ISO 8601, UTC, and numbers that JSON lacks are null."""
    return json.dumps(
        {name: _value(value) for name, value in zip(names, values, strict=True)}, ensure_ascii=False, allow_nan=False
    )


def _value(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {_text(name): _value(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_value(each) for each in value]
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    # A half of a character has no bytes in UTF-8.
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
