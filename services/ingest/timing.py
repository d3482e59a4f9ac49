"""Durations of a request's stages, for the header `Server-Timing`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Timing:
    """Seconds that a request spent in each of its stages, by name."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - began)

    def add(self, stage: str, seconds: float) -> None:
        """Add seconds to a stage."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def as_header(self) -> str:
        """Return the value of `Server-Timing` (https://www.w3.org/TR/server-timing/), in milliseconds."""
        stages = {**self.seconds, "total": time.perf_counter() - self._began}
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in stages.items())
