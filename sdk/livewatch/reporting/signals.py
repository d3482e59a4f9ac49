"""Signals that end the program: its runs end as cancelled, then the signal does what it would have done."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

NAMES = ("SIGTERM", "SIGHUP")
VARIABLE = "LIVEWATCH_SIGNALS"
IGNORED = "off"

logger = logging.getLogger("livewatch")


class Signals:
    """Handles SIGTERM and SIGHUP, which end a program without its exit handlers.

    A handler of the program's own is called first and decides; without one the runs end as cancelled, are delivered,
    and the signal ends the process as ever.

    Args:
        on_signal: Called with the name of a signal that is about to end the process.
    """

    def __init__(self, on_signal: Callable[[str], None]) -> None:
        self._on_signal = on_signal
        self._previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._is_installed = False
        self.received: str | None = None
        """Name of the last signal; what ends the program afterwards follows from it."""

    def install(self) -> None:
        """Install the handlers; only the main thread can. A signal that is ignored stays so. Idempotent."""
        if self._is_installed or os.environ.get(VARIABLE) == IGNORED:
            return
        if threading.current_thread() is not threading.main_thread():
            return
        self._is_installed = True
        for name in NAMES:
            number = getattr(signal, name, None)
            if number is None or number in self._previous:
                continue
            previous = signal.getsignal(number)
            # None: a handler that is not Python's.
            if previous is None or previous is signal.SIG_IGN:
                continue
            try:
                signal.signal(number, self._handle)
            except (ValueError, OSError):
                continue
            self._previous[number] = previous

    def release(self) -> None:
        """Restore the handlers in a forked child: until it reports itself, signals end it as they would without us."""
        for number, previous in self._previous.items():
            if previous is not None and signal.getsignal(number) == self._handle:
                with suppress(ValueError, OSError):
                    signal.signal(number, previous)
        self._previous.clear()
        self._is_installed = False
        self.received = None

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        previous = self._previous.get(number)
        if callable(previous):
            previous(number, frame)
            return
        try:
            self._on_signal(self.received)
        except Exception:
            logger.debug("ending the runs at a signal failed", exc_info=True)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
