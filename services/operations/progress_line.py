"""A line on the console that says how far long work is."""

import time
from collections.abc import Callable
from typing import TextIO

TERMINAL_INTERVAL_SECONDS = 0.2
LOG_INTERVAL_SECONDS = 5.0


class ProgressLine:
    """Shows progress on a terminal in one line that is written over, and elsewhere as a line every few seconds.

    Args:
        stream: Where the line goes.
        clock: Seconds.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._interval = TERMINAL_INTERVAL_SECONDS if self._is_terminal else LOG_INTERVAL_SECONDS
        self._due_at = clock() + self._interval
        self._is_open = False

    def show(self, text: str) -> None:
        """Show how far the work is; ignored when the last line is recent."""
        if self._clock() < self._due_at:
            return
        self._due_at = self._clock() + self._interval
        self._is_open = self._is_terminal
        self._write(f"\r\x1b[K{text}" if self._is_terminal else f"{text}\n")

    def print(self, text: str) -> None:
        """Print a line that stays, in place of the progress."""
        self._write(f"\r\x1b[K{text}\n" if self._is_open else f"{text}\n")
        self._is_open = False

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
