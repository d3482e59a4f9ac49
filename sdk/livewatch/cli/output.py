"""Command output: log lines and what is drawn on the terminal, from a byte stream."""

from __future__ import annotations

import re
import threading
from collections import deque

from livewatch.cli.wrapping.tracker import ProgressTracker

# Only the end of each piece is parsed: a command may print faster than it could be read.
MAX_PARSED_BYTES = 32 * 1024
MAX_PARSED_FRAMES = 50
MAX_LINE_BYTES = 4_096
# Per stream and `take`, which is called twice a second.
MAX_PENDING_LINES = 100
MAX_LAST_LINES = 20

# Of these, colours (SGR) are kept, which the page shows.
ESCAPES = re.compile(
    r"(?P<colour>\x1b\[[0-9;:]*m)"
    r"|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_78]|[\x00-\x08\x0b-\x1f\x7f]"
)
# What moves the cursor: to the line's start or the next line, up, to a place, or back to a saved one.
MOVES = re.compile(rb"(\r\n|[\r\n]|\x1b\[\d*[AF]|\x1b\[\d*;?\d*[Hf]|\x1b[78])")
UP = re.compile(rb"\x1b\[(\d*)[AF]")


class Output:
    """One output stream of a command; `take` may be called from another thread.

    Args:
        progress: Receives the progress of all streams of the command.
    """

    def __init__(self, progress: ProgressTracker) -> None:
        self._progress = progress
        self._pending = b""
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=MAX_PENDING_LINES)
        self._count = 0
        self._row = 0
        # Whether the cursor came from another row since the last text.
        self._is_moved = False
        self._frame = b""
        # Without colours, for the error of a command that fails.
        self.last_lines: deque[str] = deque(maxlen=MAX_LAST_LINES)

    def feed(self, piece: bytes) -> None:
        """Process the next piece; text before a carriage return is progress, not a line to keep."""
        skipped = piece[:-MAX_PARSED_BYTES].count(b"\n")
        if skipped:
            self._pending = b""
        *lines, pending = (self._pending + piece[-MAX_PARSED_BYTES:]).split(b"\n")
        self._row += skipped
        self._draw(piece[-MAX_PARSED_BYTES:])
        self._pending = pending[-MAX_LINE_BYTES:]
        self._keep(lines, skipped)

    def _draw(self, piece: bytes) -> None:
        """Follow the cursor, and give what is drawn at each place to the tracker."""
        parts = MOVES.split(self._frame + piece)
        if len(parts) > 2 * MAX_PARSED_FRAMES:
            left_out = parts[: -2 * MAX_PARSED_FRAMES - 1]
            self._row += sum(part.endswith(b"\n") for part in left_out)
            parts = parts[len(left_out) :]
        for n, part in enumerate(parts):
            is_last = n == len(parts) - 1
            if n % 2:
                self._move(part)
            elif part:
                self._progress.feed(_text(part), (id(self), self._row), is_redrawn=not self._is_moved)
                if not is_last:
                    self._is_moved = False
        # A frame may be split between two pieces, as may an escape.
        self._frame = parts[-1][-MAX_LINE_BYTES:]

    def _move(self, move: bytes) -> None:
        if move.endswith(b"\n"):
            self._row += 1
            self._is_moved = True
        elif up := UP.fullmatch(move):
            self._row -= int(up[1] or 1)
            self._is_moved = True

    def end(self) -> None:
        """Process the end of the stream: an unterminated line is a line too."""
        self._keep([self._pending], 0)
        self._pending = b""

    def take(self) -> tuple[list[str], int]:
        """Return the newest lines since the last call and the number of older ones omitted."""
        with self._lock:
            lines, count = list(self._lines), self._count
            self._lines.clear()
            self._count = 0
        return lines, count - len(lines)

    def _keep(self, lines: list[bytes], skipped: int) -> None:
        drawn = (_coloured(line.rstrip(b"\r").rpartition(b"\r")[2]).rstrip() for line in lines[-MAX_PENDING_LINES:])
        kept = [(line, plain) for line in drawn if (plain := ESCAPES.sub("", line)).strip()]
        with self._lock:
            self._count += skipped + max(0, len(lines) - MAX_PENDING_LINES) + len(kept)
            self._lines.extend(line for line, _ in kept)
            self.last_lines.extend(plain.rstrip() for _, plain in kept)


def _text(line: bytes) -> str:
    return ESCAPES.sub("", _decoded(line))


def _coloured(line: bytes) -> str:
    return ESCAPES.sub(lambda found: found["colour"] or "", _decoded(line))


def _decoded(line: bytes) -> str:
    return line[-MAX_LINE_BYTES:].decode("utf-8", "replace")
