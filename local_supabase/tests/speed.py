"""Deadlines that scale with the machine: its speed and the load upon it, measured once per process when it starts."""

import os
import time

QUIET_SAMPLE_SECONDS = 0.002
"""Wall time of one sample on a quiet core."""
SAMPLES = 25
HEADROOM = 4.0
"""The load grows after the measurement: the other workers start their browsers and databases then."""
MAX_SLOWDOWN = 6.0
PRODUCT_HEADROOM = 2.0


def measure_slowdown() -> float:
    """How many times longer than on a quiet machine things take now; 1 to 8.

    The larger of two ratios. Samples of computing with a pause between them, by the clock on the wall: what another
    process takes from this one counts, in its computing and in its waking up. And the processes that wait for each
    core, of which the system keeps the average over a minute.
    """
    began = time.perf_counter()
    for _ in range(SAMPLES):
        sum(n * n for n in range(50_000))
        time.sleep(0.001)
    sampled = (time.perf_counter() - began) / SAMPLES / (QUIET_SAMPLE_SECONDS + 0.001)
    queued = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 1.0
    return min(MAX_SLOWDOWN, max(1.0, sampled, queued))


SLOWDOWN = measure_slowdown()


def deadline(seconds: float) -> float:
    """Seconds after which a wait that takes up to `seconds` on a quiet machine has failed.

    It only ends what hangs: a test that passes never waits for it, and asserts order and equality, not times.
    """
    return seconds * HEADROOM * SLOWDOWN


def product_timeout(seconds: float) -> float:
    """Seconds for a timeout of the product's own that must not fire only because the machine is busy."""
    return seconds * PRODUCT_HEADROOM * SLOWDOWN
