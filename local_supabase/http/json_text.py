"""JSON as it goes over the wire."""

import json


def compact(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def is_unicode(text: str, message: object) -> bool:
    """Whether parsed JSON can be written as UTF-8: an escape may stand for half a character, which databases refuse."""
    if "\\ud" not in text and "\\uD" not in text:
        return True
    try:
        compact(message).encode()
    except (UnicodeEncodeError, RecursionError):
        return False
    return True
