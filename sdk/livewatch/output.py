"""The output of a command: the progress that it tells, and the lines that are worth keeping."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

# Of a piece of output only so much at its end is looked at: a command may print faster than anybody reads.
LOOKED_AT = 32 * 1024
FRAMES = 50
LINE_LENGTH = 4_096
# Lines that are kept until they are taken, twice a second.
LINES_KEPT = 100
LAST_LINES = 20
# A bar that was not drawn for so long gives way to another.
PATIENCE = 60.0

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
# A percentage that can be nothing but progress: alone, before or behind a bar, in brackets at either end, or so named.
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
    """So much is done; `total` is None where `done` is in per cent."""

    done: float
    total: int | None

    @property
    def percent(self) -> float:
        return self.done if self.total is None else 100 * self.done / self.total

    def is_of_the_bar_of(self, other: Progress) -> bool:
        """Whether both may be of one bar: of the same total, or the same piece of it, told in per cent once."""
        if None in (self.total, other.total):
            return self.total == other.total or abs(self.percent - other.percent) < 1
        return self.total == other.total


def progress_in(line: str) -> Progress | None:
    """The progress that a line tells, where it can be read in no other way."""
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


class ProgressWatch:
    """Of several bars it follows the first, which of nested ones is the outer, until it is full or no longer drawn."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen_at = 0.0
        self.progress: Progress | None = None

    def see(self, line: str) -> None:
        progress = progress_in(line)
        if progress is None:
            return
        with self._lock:
            now, followed = self._clock(), self.progress
            is_over = followed is None or followed.percent >= 100 or now - self._seen_at > PATIENCE
            if followed is None or is_over or progress.is_of_the_bar_of(followed):
                self.progress, self._seen_at = progress, now


class Output:
    """One output of a command, in pieces as they come; `take` may be called from another thread."""

    def __init__(self, watch: ProgressWatch) -> None:
        self._watch = watch
        self._pending = b""
        self._lock = threading.Lock()
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._count = 0
        self.last: deque[str] = deque(maxlen=LAST_LINES)

    def feed(self, piece: bytes) -> None:
        """The next piece; a carriage return draws a line anew, which tells progress and is no line to keep."""
        skipped = piece[:-LOOKED_AT].count(b"\n")
        if skipped:
            self._pending = b""
        *lines, pending = (self._pending + piece[-LOOKED_AT:]).split(b"\n")
        for frame in re.split(rb"[\r\n]", b"\n".join((*lines[-FRAMES:], pending)))[-FRAMES:]:
            if frame:
                self._watch.see(_text(frame))
        self._pending = pending[-LINE_LENGTH:]
        self._keep(lines, skipped)

    def end(self) -> None:
        """No more comes: what stands without the end of a line is a line too."""
        self._keep([self._pending], 0)
        self._pending = b""

    def take(self) -> tuple[list[str], int]:
        """The newest lines since the last call, and how many older ones were left out."""
        with self._lock:
            lines, count = list(self._lines), self._count
            self._lines.clear()
            self._count = 0
        return lines, count - len(lines)

    def _keep(self, lines: list[bytes], skipped: int) -> None:
        drawn = (_text(line.rstrip(b"\r").rpartition(b"\r")[2]).rstrip() for line in lines[-LINES_KEPT:])
        kept = [line for line in drawn if line.strip()]
        with self._lock:
            self._count += skipped + max(0, len(lines) - LINES_KEPT) + len(kept)
            self._lines.extend(kept)
            self.last.extend(kept)


def _percent(number: str) -> Progress | None:
    return Progress(float(number), None) if float(number) <= 100 else None


def _text(line: bytes) -> str:
    return ESCAPES.sub("", line[-LINE_LENGTH:].decode("utf-8", "replace"))
