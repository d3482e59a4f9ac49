"""Report long-running work to Livewatch: loops, runs, agents, alerts and logs.

LIVEWATCH_URL and LIVEWATCH_KEY configure it; without them every call is a no-op. No call raises into the program, and
only `flush` waits for the network.
"""

from __future__ import annotations

import logging as _logging
from collections.abc import Iterable, Mapping
from typing import Any

from livewatch.logs import LogHandler
from livewatch.messages import alert, notify
from livewatch.reporting.process import PROCESS as _PROCESS
from livewatch.runs.agents import Agent
from livewatch.runs.attached import current_run
from livewatch.runs.run import Run
from livewatch.runs.tracking import Track, track
from livewatch.runs.watching import watch
from livewatch.settings import VERSION

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
__version__ = VERSION


def run(
    name: object,
    *,
    total: float | None = None,
    steps: Iterable[str] = (),
    slug: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    type: str | None = None,
    unit: str | None = None,
    key: object = None,
    attempt: int = 1,
    tags: Iterable[object] = (),
) -> Run:
    """Start a run; used as a context manager, it ends with its block.

    Args:
        name: Title of the run, up to 200 characters.
        total: Number of units to do.
        steps: Names of its steps, in order; with steps, the run is also shown as a scan.
        slug: Name of the job in URLs, whose runs are numbered; made from `name` if omitted. Processes that give it at
            the same time share one run, which ends with the last of them; without it, each has a run of its own.
        description: What the run does or is doing, up to 2,000 characters.
        metadata: JSON values to show with the run.
        type: One or two words by which to find runs of the same kind.
        unit: Name of the units; with "B", amounts show as KiB, MiB and so on.
        key: Names this run among those of the job, for programs that know it by a name already; processes that give the
            same one share the run.
        attempt: Number of the try, from 1; a later one continues the run of the same `key`.
        tags: Words by which to find runs: at most 20, of 1 to 40 characters; `run.tag` adds further ones.

    Returns:
        The started run.
    """
    return Run(
        name,
        total=total,
        steps=steps,
        slug=slug,
        description=description,
        metadata=metadata,
        type=type,
        unit=unit,
        key=key,
        attempt=attempt,
        tags=tags,
    )


def agent(name: object, *, input: object = None, slug: str | None = None) -> Agent:
    """Start an agent execution within the current run; used as a context manager, it ends with its block.

    Args:
        name: Name of the agent, up to 200 characters.
        input: What it was given; sent as text, up to 2,000 characters.
        slug: Name of the job in URLs, whose executions are numbered; made from `name` if omitted.

    Returns:
        The started execution; set its `output` before it ends.
    """
    return Agent(name, input=input, slug=slug)


def flush(timeout: float = 5.0) -> bool:
    """Deliver all pending updates, waiting at most `timeout` seconds.

    Returns:
        Whether everything was delivered; if not, the updates stay queued for later.
    """
    try:
        reporter = _PROCESS.existing_reporter()
        return reporter.flush(timeout) if reporter is not None else True
    except Exception:
        _logging.getLogger("livewatch").debug("flush failed", exc_info=True)
        return False
