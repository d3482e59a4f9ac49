"""JSON text as it is sent over the wire."""

import json


def compact(value: object) -> str:
    """Encode as JSON without whitespace."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def is_encodable(text: str, value: object) -> bool:
    r"""Return whether `value`, parsed from `text`, can be encoded as UTF-8.

    An escape such as `\ud800` parses to half of a surrogate pair, which UTF-8 and PostgreSQL reject.
    """
    if "\\ud" not in text and "\\uD" not in text:
        return True
    try:
        compact(value).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
