"""Cursors of pages: opaque, bound to one organisation, list and filter.

A cursor is no secret and grants nothing: what a page shows, row-level security decides. Its checksum tells a cursor of
another list, or a damaged one, from the right one, in every process and after every restart.
"""

import base64
import binascii
import hashlib
import hmac
import struct
from dataclasses import dataclass
from uuid import UUID

from services.errors import IngestRefused
from services.ingest import Code

_LAYOUT = struct.Struct(">q16s")
_CHECKSUM_BYTES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The place of a row in an order: microseconds since 1970 or a number, and the id of the row, or of its run."""

    number: int
    id: UUID


def encode_cursor(position: Position, binding: str) -> str:
    """Return the cursor of the page after a position; `binding` names the organisation, the list and the filter."""
    content = _LAYOUT.pack(position.number, position.id.bytes)
    return base64.urlsafe_b64encode(content + _checksum(content, binding)).rstrip(b"=").decode()


def decode_cursor(cursor: str, binding: str) -> Position:
    """Return the position of a cursor; raises IngestRefused if it is none of this list."""
    try:
        raw = base64.b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        number, id = _LAYOUT.unpack(raw[: _LAYOUT.size])
        is_ours = hmac.compare_digest(raw[_LAYOUT.size :], _checksum(raw[: _LAYOUT.size], binding))
    except (UnicodeEncodeError, binascii.Error, struct.error):
        is_ours = False
    if not is_ours:
        shown = cursor if len(cursor) <= 60 else f"{cursor[:60]}…"
        raise IngestRefused(
            Code.INVALID,
            f'cursor is "{shown}": it is not a cursor of this list with these filters. Use `next` of the page before, '
            "with the same parameters, or omit it to begin.",
            field="cursor",
        )
    return Position(number=number, id=UUID(bytes=id))


def _checksum(content: bytes, binding: str) -> bytes:
    return hashlib.sha256(content + binding.encode()).digest()[:_CHECKSUM_BYTES]
