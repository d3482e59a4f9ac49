"""Durations as people write them: `90s`, `30m`, `2h`, `7d`, and sums such as `1h30m`."""

import re

from services.errors import NotAccepted

MAX_CHARACTERS = 40
_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_WRITTEN = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,8})m)?(?:(\d{1,8})s)?")


def seconds_of(written: str, *, what: str, minimum: float, maximum: float) -> float:
    """Return the seconds of a duration.

    Args:
        written: Such as `30m` or `1h30m`; a number alone is of seconds.
        what: What it is, for the message.
        minimum: Least seconds.
        maximum: Most seconds.

    Raises:
        NotAccepted: It is no duration, or not between the two.
    """
    text = written.strip().lower().replace(" ", "")[:MAX_CHARACTERS]
    found = _WRITTEN.fullmatch(text + ("s" if text.isdigit() else ""))
    if not text or found is None or not any(found.groups()):
        raise NotAccepted(f"{what} “{written[:MAX_CHARACTERS]}” is no duration: write it like 90s, 30m, 2h or 1h30m.")
    seconds = float(sum(int(number or 0) * unit for number, unit in zip(found.groups(), _UNITS.values(), strict=True)))
    if not minimum <= seconds <= maximum:
        raise NotAccepted(
            f"{what} “{written[:MAX_CHARACTERS]}” is not between {duration_text(minimum)} and {duration_text(maximum)}."
        )
    return seconds


def duration_text(seconds: float) -> str:
    """Return a duration as `seconds_of` reads it: `1h30m` for 5,400 seconds."""
    left, parts = round(seconds), []
    for unit, size in _UNITS.items():
        number, left = divmod(left, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"
