"""Batches deltas for subscriptions: delivers at once when idle, coalesces under load to cap event-loop use."""

from collections.abc import Callable
from typing import Generic

from services.entities import R
from services.infra.tasks.coalescer import Coalescer
from services.realtime.rows import Delta

EVENT_LOOP_BUDGET = 0.03
"""Share of the event loop that delivering the deltas of one table may use."""
MAX_DELAY_SECONDS = 0.1


class DeltaBatcher(Generic[R]):
    """Passes the deltas of one table to `deliver`, in order.

    With few subscriptions each delta is delivered by itself. With hundreds a delivery takes a millisecond, so the
    deltas that follow wait for each other, at most `MAX_DELAY_SECONDS`.

    Args:
        deliver: Takes deltas, in order.
        interval: Minimum seconds between two deliveries.
    """

    def __init__(self, deliver: Callable[[list[Delta[R]]], None], *, interval: float = 0.0) -> None:
        self._deliver = deliver
        self._min_interval = interval
        self._pending: list[Delta[R]] = []
        self._coalescer = Coalescer(self._deliver_pending, interval=self._interval, is_eager=True)

    def add(self, deltas: list[Delta[R]]) -> None:
        """Deliver these deltas, now or soon."""
        self._pending += deltas
        self._coalescer.schedule()

    def flush(self) -> None:
        """Deliver the pending deltas now; does nothing without any."""
        if self._pending:
            self._coalescer.run()
        else:
            self._coalescer.cancel()

    def cancel(self) -> None:
        """Stop the timer; pending deltas are delivered with the next ones."""
        self._coalescer.cancel()

    def _deliver_pending(self) -> None:
        pending, self._pending = self._pending, []
        self._deliver(pending)

    def _interval(self) -> float:
        cost = self._coalescer.last_cost
        return max(self._min_interval, cost + min(MAX_DELAY_SECONDS, cost / EVENT_LOOP_BUDGET))
