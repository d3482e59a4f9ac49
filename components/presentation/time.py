"""Times in the browser's format: epoch milliseconds."""

from datetime import datetime


def epoch_ms(time: datetime | None) -> int | None:
    """Return a time in epoch milliseconds."""
    return None if time is None else round(time.timestamp() * 1000)


def epoch_ms_of_second(time: datetime | None) -> int | None:
    """Return a time in epoch milliseconds, rounded to a second, so that estimates change less often."""
    return None if time is None else round(time.timestamp()) * 1000
