"""Report long-running work to Livewatch from your own code.

LIVEWATCH_URL and LIVEWATCH_KEY say where to and as whom; without them everything here does nothing. Nothing here
raises into a program or waits for the network, except `flush`.
"""

from __future__ import annotations

import logging as _logging
from collections.abc import Iterable, Mapping
from typing import Any

from livewatch.agents import Agent
from livewatch.logs import LogHandler
from livewatch.messages import alert, notify
from livewatch.process import PROCESS as _PROCESS
from livewatch.runs import Run, current_run
from livewatch.tracking import Track, track
from livewatch.watching import watch

__all__ = [
    "Agent",
    "LogHandler",
    "Run",
    "Track",
    "agent",
    "alert",
    "current_run",
    "flush",
    "notify",
    "run",
    "track",
    "watch",
]
__version__ = "0.1.0"


def run(
    name: object,
    *,
    total: float | None = None,
    steps: Iterable[str] = (),
    slug: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    type: str | None = None,
) -> Run:
    """Begin a run: a stream, and with its first step a scan too; `with` ends it as the block ends.

    `type` is a word or two by which streams of one kind are found together.
    """
    return Run(name, total=total, steps=steps, slug=slug, description=description, metadata=metadata, type=type)


def agent(name: object, *, input: object = None, slug: str | None = None) -> Agent:
    """Begin an execution of an agent in the run around it; `with` ends it as the block ends."""
    return Agent(name, input=input, slug=slug)


def flush(timeout: float = 5.0) -> bool:
    """Wait until all is delivered, so many seconds at most; False when it is not, and is kept for later."""
    try:
        reporter = _PROCESS.existing()
        return reporter.flush(timeout) if reporter is not None else True
    except Exception:
        _logging.getLogger("livewatch").debug("flushing failed", exc_info=True)
        return False
