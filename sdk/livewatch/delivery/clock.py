"""Moments that stay true when the computer's clock is set: seconds since boot, beside the epoch time."""

import os
import time
from dataclasses import dataclass, field


def uptime() -> float:
    """Return the seconds since boot, also those of sleep where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def seconds_since(began: float) -> float:
    """Return the seconds since an `uptime`, to the millisecond."""
    return round(uptime() - began, 3)


@dataclass(frozen=True)
class Moment:
    """When something was reported.

    Attributes:
        epoch: Epoch time in seconds, as right as the computer's clock.
        uptime: Seconds since boot, which no change of the clock affects.
    """

    epoch: float = field(default_factory=time.time)
    uptime: float = field(default_factory=uptime)


def boot_id() -> str:
    """Return an identifier of this boot, within which processes may compare uptimes.

    Where the system has none it is one of this process: other processes then go by the clock.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return f"process {os.urandom(8).hex()}"


def age_of(moment: Moment, made_in: str, *, boot: str, now: Moment) -> float:
    """Return the seconds since a moment, at least 0.

    Args:
        moment: The moment.
        made_in: Boot in which it was.
        boot: The present boot.
        now: The present moment.
    """
    seconds = now.uptime - moment.uptime if made_in == boot else now.epoch - moment.epoch
    return max(0.0, seconds)
