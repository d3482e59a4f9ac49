"""A manual clock."""

from dataclasses import dataclass


@dataclass
class Clock:
    """Returns `now`, in seconds, when called; assign `now` to move it."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now
