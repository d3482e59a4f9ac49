"""Terminal escape sequences in text from others: colours may be shown, everything else is removed."""

from __future__ import annotations

import re

RESET = "\x1b[0m"
# ECMA-48: colours (SGR), other control sequences, strings such as titles and links (OSC), short sequences, and lone
# control characters with those that reorder text. A sequence that never ends takes the rest of the text at most.
_SEQUENCES = re.compile(
    r"(?P<colour>\x1b\[[0-9;:]*m)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|(?P<control>[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069])"
)


def plain(text: str) -> str:
    """Return a text without escape sequences, and with a space for each control character."""
    return _SEQUENCES.sub(lambda found: " " if found["control"] else "", text)


def coloured(text: str) -> str:
    """Return a text with no escape sequences but colours, which end with it."""
    shown = _SEQUENCES.sub(lambda found: found["colour"] or (" " if found["control"] else ""), text)
    return shown + RESET if "\x1b" in shown else shown


def padded(text: str, width: int, *, is_coloured: bool) -> str:
    """Return a text of at least `width` visible characters; its colours are kept where they are shown."""
    shown = coloured(text) if is_coloured else plain(text)
    return shown + " " * (width - len(plain(text)))
