"""Endings: how a run, an agent or a bar ended, and what an exception says about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from livewatch.delivery.operations import summary_of

INTERRUPTED_BY = "SIGINT"


class Outcome(Enum):
    """How work ended; the API names the failure of a stream `blocked`, and that of a scan or an agent `failed`."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    """Left early on purpose, as by `break`."""
    CANCELLED = "cancelled"
    """By a person or a signal."""
    FAILED = "failed"

    def status(self, failed: str = "failed") -> str:
        """Return the status for the API, where `failed` is the name of a failure."""
        return failed if self is Outcome.FAILED else self.value


@dataclass(frozen=True)
class Ending:
    """An outcome, with an error or the reason of a cancellation."""

    outcome: Outcome
    error: str | None = None


COMPLETED = Ending(Outcome.COMPLETED)
STOPPED = Ending(Outcome.STOPPED)
FORGOTTEN = Ending(Outcome.FAILED, "The process exited before the run ended.")


def cancelled_by(signal_name: str) -> Ending:
    """Return the ending of work that a signal cancelled."""
    return Ending(Outcome.CANCELLED, f"Cancelled by {signal_name}.")


def ending_of(error: BaseException | None, signal_name: str | None = None) -> Ending:
    """Return what an exception says about the work that it left; SystemExit without a code is a success.

    Args:
        error: The exception; None if there was none.
        signal_name: Signal that this process received, which the exception then follows from.
    """
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0) and signal_name is None):
        return COMPLETED
    if isinstance(error, SystemExit | KeyboardInterrupt) and signal_name is not None:
        return cancelled_by(signal_name)
    if isinstance(error, KeyboardInterrupt):
        return cancelled_by(INTERRUPTED_BY)
    # Compared by name: a program without asyncio need not load it.
    if type(error).__name__ == "CancelledError":
        return Ending(Outcome.CANCELLED)
    return Ending(Outcome.FAILED, summary_of(error))
