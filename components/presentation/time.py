"""Times as the browser takes them: milliseconds since 1970 in UTC."""

from datetime import datetime


def epoch_ms(time: datetime | None) -> int | None:
    """Milliseconds since 1970 in UTC."""
    return None if time is None else round(time.timestamp() * 1000)


def epoch_ms_of_second(time: datetime | None) -> int | None:
    """Like `epoch_ms`, rounded to a second, so that an estimate does not change with every step."""
    return None if time is None else round(time.timestamp()) * 1000
