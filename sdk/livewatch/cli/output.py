"""Command output: extracts progress and log lines from a byte stream."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Only the end of each piece is parsed: a command may print faster than it could be read.
MAX_PARSED_BYTES = 32 * 1024
MAX_PARSED_FRAMES = 50
MAX_LINE_BYTES = 4_096
# Per stream and `take`, which is called twice a second.
MAX_PENDING_LINES = 100
MAX_LAST_LINES = 20
# A bar that was not redrawn for this long yields to another.
MAX_BAR_SILENCE_SECONDS = 60.0

ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|[\x00-\x08\x0b-\x1f\x7f]"
)
NUMBER = r"(\d{1,3}(?:\.\d+)?)"
# tqdm, git, ninja and docker, keras.
COUNTS = [
    re.compile(each)
    for each in (
        r"\d{1,3}%\|.*?\|\s*(\d+)/(\d+)\s*\[",
        r"\d{1,3}% \((\d+)/(\d+)\)",
        r"^\s*\[\s*(\d+)\s*/\s*(\d+)\s*\]",
        r"^\s*(\d+)/(\d+)\s*\[[=>.━ ]",
    )
]
BAR = re.compile(rf"{NUMBER}%\|")
# Percentages that can only be progress: alone, next to a bar, in brackets at either end of a line, or named so.
PERCENTAGES = [
    re.compile(each, re.IGNORECASE)
    for each in (
        rf"^\s*{NUMBER}\s?%\s*(?:$|[|(\[#=>█-▏━])",
        rf"^\s*\[\s*{NUMBER}\s?%\s*\]",
        rf"\[\s*{NUMBER}\s?%\s*\]\s*$",
        rf"[━╸╺█#=>]{{2,}}\S*\s+{NUMBER}\s?%",
        rf"\bprogress\b[:= ]*\[?\s*{NUMBER}\s?%",
        rf"(?<![\d.]){NUMBER}\s?%\s+(?:done|complete|completed|finished)\b",
    )
]


@dataclass(frozen=True)
class Progress:
    """Units done of a total; `done` is in per cent if `total` is None."""

    done: float
    total: int | None

    @property
    def percent(self) -> float:
        """Per cent done."""
        return self.done if self.total is None else 100 * self.done / self.total

    def is_same_bar(self, other: Progress) -> bool:
        """Return whether both may come from one bar: equal totals, or equal per cent if one has no total."""
        if None in (self.total, other.total):
            return self.total == other.total or abs(self.percent - other.percent) < 1
        return self.total == other.total


def progress_in(line: str) -> Progress | None:
    """Extract progress from a line; None if the line may mean anything else."""
    if "%" not in line and "/" not in line:
        return None
    for form in COUNTS:
        if (match := form.search(line)) and int(match[2]) > 0 and int(match[1]) <= int(match[2]):
            return Progress(int(match[1]), int(match[2]))
    if match := BAR.search(line):
        return _percent(match[1])
    if line.count("%") != 1:
        return None
    return next((_percent(match[1]) for form in PERCENTAGES if (match := form.search(line))), None)


class ProgressTracker:
    """Follows the first of several bars, the outer of nested ones, until it is full or no longer drawn. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._updated_at = 0.0
        self.progress: Progress | None = None

    def feed(self, line: str) -> None:
        """Update the progress from a line or a redrawn part of one."""
        progress = progress_in(line)
        if progress is None:
            return
        with self._lock:
            now, followed = self._clock(), self.progress
            is_over = followed is None or followed.percent >= 100 or now - self._updated_at > MAX_BAR_SILENCE_SECONDS
            if followed is None or is_over or progress.is_same_bar(followed):
                self.progress, self._updated_at = progress, now


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
        self.last_lines: deque[str] = deque(maxlen=MAX_LAST_LINES)

    def feed(self, piece: bytes) -> None:
        """Process the next piece; text before a carriage return is progress, not a line to keep."""
        skipped = piece[:-MAX_PARSED_BYTES].count(b"\n")
        if skipped:
            self._pending = b""
        *lines, pending = (self._pending + piece[-MAX_PARSED_BYTES:]).split(b"\n")
        for frame in re.split(rb"[\r\n]", b"\n".join((*lines[-MAX_PARSED_FRAMES:], pending)))[-MAX_PARSED_FRAMES:]:
            if frame:
                self._progress.feed(_text(frame))
        self._pending = pending[-MAX_LINE_BYTES:]
        self._keep(lines, skipped)

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
        drawn = (_text(line.rstrip(b"\r").rpartition(b"\r")[2]).rstrip() for line in lines[-MAX_PENDING_LINES:])
        kept = [line for line in drawn if line.strip()]
        with self._lock:
            self._count += skipped + max(0, len(lines) - MAX_PENDING_LINES) + len(kept)
            self._lines.extend(kept)
            self.last_lines.extend(kept)


def _percent(number: str) -> Progress | None:
    return Progress(float(number), None) if float(number) <= 100 else None


def _text(line: bytes) -> str:
    return ESCAPES.sub("", line[-MAX_LINE_BYTES:].decode("utf-8", "replace"))
