"""Query parameters: read strictly, so that a misspelled filter never returns rows that nobody asked for."""

import json
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from services.errors import IngestRefused, NotAccepted
from services.ingest import Code
from services.period import zone_of

MAX_CHARACTERS = 200
MAX_VALUES = 100
MAX_SHOWN_CHARACTERS = 80


class Parameters:
    """The parameters of one request.

    Args:
        pairs: Names and values; a name may come several times.
        known: The valid names.

    Raises:
        IngestRefused: A name is unknown, or a value is too long or contains NUL.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]], known: Collection[str]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in known:
                raise IngestRefused(
                    Code.INVALID,
                    f"There is no parameter {shown(name)}. The parameters are {', '.join(sorted(known))}.",
                    field=name[:MAX_SHOWN_CHARACTERS],
                )
            if "\0" in value:
                raise invalid(name, value, "it contains a NUL character; remove it")
            if len(value) > MAX_CHARACTERS * (1 if name in ("q", "cursor") else MAX_VALUES):
                raise invalid(name, value, f"it has {len(value):,} characters; shorten it")
            self._values.setdefault(name, []).append(value)

    def one(self, name: str) -> str | None:
        """Return the value of a parameter, None without one or with an empty one; raises IngestRefused for several."""
        values = self._values.get(name, [])
        if len(values) > 1:
            raise invalid(name, ", ".join(values), "it may come once only")
        return values[0] if values and values[0] else None

    def many(self, name: str) -> list[str]:
        """Return the values of a parameter that may come several times or have several values between commas."""
        values = list(dict.fromkeys(each for value in self._values.get(name, []) for each in value.split(",") if each))
        if len(values) > MAX_VALUES:
            raise invalid(name, ", ".join(values), f"it has {len(values):,} values; the maximum is {MAX_VALUES}")
        for value in values:
            if len(value) > MAX_CHARACTERS:
                raise invalid(name, value, f"a value has at most {MAX_CHARACTERS} characters")
        return values

    def choices(self, name: str, valid: Collection[str]) -> list[str]:
        """Return like `many`; raises IngestRefused for a value that is not valid."""
        values = self.many(name)
        for value in values:
            if value not in valid:
                raise invalid(name, value, f"use one of {', '.join(valid)}")
        return values

    def choice(self, name: str, valid: Collection[str], default: str) -> str:
        """Return like `one`; raises IngestRefused for a value that is not valid."""
        value = self.one(name)
        if value is not None and value not in valid:
            raise invalid(name, value, f"use one of {', '.join(valid)}")
        return value or default

    def limit(self, default: int, maximum: int) -> int:
        """Return the number of rows of a page; raises IngestRefused if it is not between 1 and the maximum."""
        value = self.one("limit")
        if value is None:
            return default
        # Digits of other scripts are digits for Python, too.
        if not (value.isascii() and value.isdigit() and len(value) < 10 and 1 <= int(value) <= maximum):
            raise invalid("limit", value, f"use a whole number from 1 to {maximum:,}")
        return int(value)

    def number(self, name: str) -> int | None:
        """Return a whole number from 0 to 2^63 - 1; raises IngestRefused for anything else."""
        value = self.one(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) < 20 and int(value) < 2**63):
            raise invalid(name, value, "use a whole number from 0 to 9223372036854775807")
        return int(value)

    def times(self, *names: str) -> list[datetime | None]:
        """Return times, in the zone of the parameter `zone` where they name no offset; raises IngestRefused."""
        zone = self._zone()
        times = [self._time(name, zone) for name in names]
        if len(times) > 1 and times[0] is not None and times[1] is not None and times[1] < times[0]:
            raise invalid(names[1], self.one(names[1]) or "", f"it is before {names[0]}")
        return times

    def _zone(self) -> ZoneInfo:
        name = self.one("zone") or "UTC"
        try:
            return zone_of(name)
        except NotAccepted as error:
            raise invalid(
                "zone", name, "there is no such time zone; use a name of the IANA database, such as Europe/Berlin"
            ) from error

    def _time(self, name: str, zone: ZoneInfo) -> datetime | None:
        value = self.one(name)
        if value is None:
            return None
        try:
            at = datetime.fromisoformat(value)
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        except OverflowError:
            return datetime.combine((datetime.min if value < "5" else datetime.max).date(), time(), UTC)
        except ValueError as error:
            hint = "; write + as %2B in a URL" if " " in value[11:] else ""
            raise invalid(
                name, value, f"use a time in ISO 8601, such as 2026-01-31T12:00:00Z or 2026-01-31{hint}"
            ) from error


def invalid(name: str, value: str, reason: str) -> IngestRefused:
    """Return the refusal of a parameter's value."""
    return IngestRefused(Code.INVALID, f"{name} is {shown(value)}: {reason}.", field=name)


def shown(value: str) -> str:
    """Return a value for a message, quoted and cut."""
    quoted = json.dumps(value, ensure_ascii=False)
    return quoted if len(quoted) <= MAX_SHOWN_CHARACTERS else f"{quoted[: MAX_SHOWN_CHARACTERS - 1]}…"
