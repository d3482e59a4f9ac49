"""The one reporter of this process: made with the first report, ended at exit, made anew in a forked child."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from livewatch.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from livewatch.reporter import Reporter

EXIT_TIMEOUT = 3.0

logger = logging.getLogger("livewatch")


class Process:
    """Holds the reporter; what the interpreter calls at a fork, at a crash and at exit ends up here."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._reporter: Reporter | None = None
        self._forking: Reporter | None = None
        # What SQLite had open at a fork must be neither used nor closed in the child.
        self._inherited: list[Reporter] = []
        self._prepared = False
        self._complained = False

    def reporter(self) -> Reporter | None:
        """The reporter; None while the environment does not name a Livewatch. Never raises."""
        if self._reporter is not None:
            return self._reporter
        try:
            settings = read_settings()
        except SettingsError as error:
            self._complain(str(error))
            return None
        return None if settings is None else self._make(settings)

    def existing(self) -> Reporter | None:
        return self._reporter

    def close(self, timeout: float = EXIT_TIMEOUT) -> None:
        """Deliver what there is; the next report makes a reporter anew."""
        with self._lock:
            reporter, self._reporter = self._reporter, None
        if reporter is not None:
            reporter.close(timeout)

    def crashed(self, error: BaseException, thread: int) -> None:
        """A thread has ended by this exception: so have its runs."""
        if self._reporter is None:
            return
        for source in self._reporter.sources():
            if source.thread == thread:
                source.crashed(error)

    def before_fork(self) -> None:
        self._lock.acquire()
        self._forking = self._reporter
        if self._forking is not None:
            self._forking.spool.before_fork()

    def after_fork_in_parent(self) -> None:
        if self._forking is not None:
            self._forking.spool.after_fork()
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """The threads are the parent's, and so is all that they deliver."""
        self._lock = threading.RLock()
        reporter, self._reporter = self._reporter, None
        if reporter is not None:
            reporter.abandon()
            self._inherited.append(reporter)

    def _make(self, settings: Settings) -> Reporter:
        # Here, so that a program that reports nothing pays for neither SQLite nor TLS.
        from livewatch.reporter import Reporter  # noqa: PLC0415

        with self._lock:
            if self._reporter is None:
                self._reporter = Reporter(settings)
                if not self._prepared:
                    self._prepared = True
                    _hook_exceptions(self.crashed)
                    atexit.register(self.close)
                children = sys.modules.get("multiprocessing.process")
                if children is not None and children.parent_process() is not None:
                    # Such a process ends without `atexit`.
                    from multiprocessing.util import Finalize  # noqa: PLC0415

                    Finalize(None, self.close, exitpriority=100)
            return self._reporter

    def _complain(self, sentence: str) -> None:
        if not self._complained:
            self._complained = True
            logger.warning("Nothing is reported to Livewatch. %s", sentence)


def _hook_exceptions(crashed: Callable[[BaseException, int], None]) -> None:
    """Learn of exceptions that end the program or a thread; whoever was told before is told still."""
    of_program, of_thread = sys.excepthook, threading.excepthook

    def end_of_program(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        try:
            crashed(error, threading.get_ident())
        finally:
            of_program(kind, error, trace)

    def end_of_thread(details: threading.ExceptHookArgs) -> None:
        try:
            if details.exc_value is not None:
                crashed(details.exc_value, threading.get_ident())
        finally:
            of_thread(details)

    sys.excepthook, threading.excepthook = end_of_program, end_of_thread


# A program has one of it, as it has one standard output.
PROCESS = Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=PROCESS.before_fork,
        after_in_parent=PROCESS.after_fork_in_parent,
        after_in_child=PROCESS.after_fork_in_child,
    )
