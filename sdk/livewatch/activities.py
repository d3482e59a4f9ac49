"""Activities: what runs and agents have in common, and which of them is around here."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from contextvars import ContextVar, Token
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from livewatch.operations import NAME_LENGTH, checked_slug, slug_of, summary_of, text

if TYPE_CHECKING:
    from livewatch.reporter import Reporter

# The stream that a parent process, `livewatch run`, reports of this one.
OUTER = "LIVEWATCH_RUN"

logger = logging.getLogger("livewatch")
Self = TypeVar("Self", bound="Activity")


class Activity:
    """What runs and agents share: a context, log lines and one end. Safe from any thread; no method raises."""

    kind = ""

    def __init__(self, name: object, slug: str | None, reporter: Reporter | None) -> None:
        self.name = text(name, NAME_LENGTH) or "run"
        self.slug = checked_slug(slug) if slug else slug_of(self.name)
        self.thread = threading.get_ident()
        self._reporter = reporter
        self._lock = threading.RLock()
        self._tokens: list[Token[Activity | None]] = []
        self.ended = reporter is None
        self.around = _current.get()

    @property
    def inherited(self) -> bool:
        """Whether it is the parent's of this forked process, which tells of it."""
        return self._reporter is not None and self._reporter.foreign

    @property
    def path(self) -> str:
        return f"/{self.kind}/{self.slug}"

    @property
    def beat_path(self) -> str:
        return self.path[1:]

    @property
    def stream(self) -> str | None:
        """The slug of the stream that it belongs to."""
        raise NotImplementedError

    def log(self, message: object, level: str = "info") -> None:
        """A line, or several, in its log."""
        reporter = self._open()
        if reporter is None:
            return
        try:
            now = datetime.now(timezone.utc).isoformat()
            for line in str(message).splitlines():
                if line.strip():
                    reporter.log(self.beat_path, level, text(line), now)
        except Exception:
            logger.debug("a line could not be told", exc_info=True)

    def sample(self) -> None:
        """Nothing but what was told already."""

    def crashed(self, error: BaseException) -> None:
        self.end_with(error)

    def abandoned(self) -> None:
        self._end(False, "The process ended before it did.")

    def _open(self) -> Reporter | None:
        """The reporter, while there is something to report to and it has not ended."""
        return None if self.ended else self._reporter

    def _end(self, succeeded: bool, error: str | None) -> None:
        raise NotImplementedError

    def end_with(self, error: BaseException | None) -> None:
        """End as a block ends: well, unless by an exception. Idempotent."""
        succeeded = error is None or (isinstance(error, SystemExit) and error.code in (None, 0))
        self._end(succeeded, None if error is None or succeeded else summary_of(error))

    def _enter(self) -> None:
        self._tokens.append(_current.set(self))

    def _exit(self, error: BaseException | None) -> None:
        # It may have been entered in another task or thread.
        with suppress(ValueError, IndexError, RuntimeError):
            _current.reset(self._tokens.pop())
        self.end_with(error)

    def __enter__(self: Self) -> Self:
        self._enter()
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        self._exit(error)

    async def __aenter__(self: Self) -> Self:
        self._enter()
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        self._exit(error)


def innermost() -> Activity | None:
    """The innermost run or agent that was entered around here, which may have ended."""
    return _current.get()


def stream_here() -> str | None:
    """The slug of the stream around here, also where a parent process reports it; None when there is none."""
    activity = _current.get()
    if activity is not None and (not activity.ended or activity.inherited):
        return activity.stream
    return os.environ.get(OUTER) or None


_current: ContextVar[Activity | None] = ContextVar("livewatch_activity", default=None)
