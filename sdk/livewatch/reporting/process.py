"""The process-wide reporter: created by the first report, closed at exit, replaced in a forked child."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from livewatch.reporting.signals import Signals
from livewatch.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from livewatch.reporting.reporter import Reporter

EXIT_TIMEOUT_SECONDS = 3.0

logger = logging.getLogger("livewatch")


class Process:
    """Owns the reporter and handles forks, uncaught exceptions and exit."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._reporter: Reporter | None = None
        self._forking: Reporter | None = None
        # SQLite objects that were open at a fork must be neither used nor closed in the child.
        self._inherited: list[Reporter] = []
        self._has_hooks = False
        self._has_warned = False
        self._signals = Signals(self._on_signal)
        self._is_exiting = False

    @property
    def signal_name(self) -> str | None:
        """Name of the signal that is about to end the process; None without one."""
        return self._signals.received

    def reporter(self) -> Reporter | None:
        """Return the reporter, created if needed; None while the settings are unset or invalid. Never raises."""
        if self._reporter is not None:
            return self._reporter
        try:
            settings = read_settings()
        except SettingsError as error:
            self._warn_once(str(error))
            return None
        return None if settings is None else self._create(settings)

    def watch_signals(self) -> None:
        """Handle signals from now on, if this is the main thread and the first to ask. Idempotent."""
        self._signals.install()

    def existing_reporter(self) -> Reporter | None:
        """Return the reporter if there is one."""
        return self._reporter

    def close(self, timeout: float = EXIT_TIMEOUT_SECONDS) -> None:
        """Deliver for at most `timeout` seconds and drop the reporter; the next report creates another."""
        with self._lock:
            reporter, self._reporter = self._reporter, None
        if reporter is not None:
            reporter.close(timeout)

    def exit(self) -> None:
        """Close at the exit of the interpreter; what is reported afterwards is delivered at once."""
        self._is_exiting = True
        self.close()

    def on_crash(self, error: BaseException, thread: int) -> None:
        """End the runs of a thread that an exception ended."""
        if self._reporter is None:
            return
        for source in self._reporter.sources():
            if source.thread == thread:
                source.on_crash(error)

    def _on_signal(self, name: str) -> None:
        reporter = self._reporter
        if reporter is None:
            return
        for source in reporter.sources():
            source.on_signal(name)
        self.close()

    def before_fork(self) -> None:
        """Block other threads and close the queue file."""
        self._lock.acquire()
        self._forking = self._reporter
        if self._forking is not None:
            self._forking.queue.before_fork()

    def after_fork_in_parent(self) -> None:
        """Unblock the other threads."""
        if self._forking is not None:
            self._forking.queue.after_fork_in_parent()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Leave the reporter, its threads and its runs to the parent."""
        self._lock = threading.RLock()
        reporter, self._reporter = self._reporter, None
        self._signals.release()
        if reporter is not None:
            reporter.abandon()
            self._inherited.append(reporter)

    def _create(self, settings: Settings) -> Reporter:
        # Imported late: a program that reports nothing loads neither SQLite nor TLS.
        from livewatch.reporting.reporter import Reporter  # noqa: PLC0415

        with self._lock:
            if self._reporter is None:
                self._reporter = Reporter(settings, is_exiting=self._is_exiting)
                if not self._has_hooks:
                    self._has_hooks = True
                    _hook_exceptions(self.on_crash)
                multiprocessing = sys.modules.get("multiprocessing.process")
                if multiprocessing is not None and multiprocessing.parent_process() is not None:
                    # Its child processes end without `atexit`.
                    from multiprocessing.util import Finalize  # noqa: PLC0415

                    Finalize(None, self.close, exitpriority=100)
            return self._reporter

    def _warn_once(self, sentence: str) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning("Reporting to Livewatch is disabled. %s", sentence)


def _hook_exceptions(on_crash: Callable[[BaseException, int], None]) -> None:
    """Observe uncaught exceptions of the program and its threads, before the existing hooks."""
    program_hook, thread_hook = sys.excepthook, threading.excepthook

    def on_program_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            on_crash(error, threading.get_ident())
        finally:
            program_hook(kind, error, trace)

    def on_thread_crash(details: threading.ExceptHookArgs) -> None:
        try:
            if details.exc_value is not None:
                on_crash(details.exc_value, threading.get_ident())
        finally:
            thread_hook(details)

    sys.excepthook, threading.excepthook = on_program_crash, on_thread_crash


# One per process, like standard output.
PROCESS = Process()
# Now, not at the first report: exit handlers run in reverse, and those of the program may still report.
atexit.register(PROCESS.exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=PROCESS.before_fork,
        after_in_parent=PROCESS.after_fork_in_parent,
        after_in_child=PROCESS.after_fork_in_child,
    )
