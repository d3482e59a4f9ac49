"""Deadlines of the app's tests, scaled by the speed of the machine and its load."""

import time
from collections.abc import Callable

from playwright.async_api import expect

from local_supabase.tests.speed import SLOWDOWN, deadline, product_timeout

__all__ = ["SLOWDOWN", "deadline", "milliseconds", "product_timeout", "relax_assertions", "wait_until"]

ASSERTION_SECONDS = 6.0
ACTION_SECONDS = 12.0
TEST_SECONDS = 90.0


def milliseconds(seconds: float) -> float:
    """Return a deadline in milliseconds, for Playwright."""
    return deadline(seconds) * 1000


def relax_assertions() -> None:
    """Set this machine's deadline as the timeout of Playwright's `expect`."""
    expect.set_options(timeout=milliseconds(ASSERTION_SECONDS))


def wait_until(condition: Callable[[], object], *, within: float = 10.0, what: str = "") -> None:
    """Block until the condition holds; fails with `what` (or the condition) at the deadline.

    For tests without an event loop; others await `tests.world.until`.
    """
    ends_at = time.monotonic() + deadline(within)
    while not condition():
        assert time.monotonic() < ends_at, f"not within {deadline(within):.0f} s: {what or condition}"
        time.sleep(0.01)
