"""Limits of the Realtime server; the defaults are those of a hosted project."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from local_supabase.errors import LocalSupabaseError

MAX_VALUE = 1_000_000_000
"""Fits every use of a limit, such as an interval of PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes, rates per second."""

    connections: int = 200
    """Concurrent clients with at least one channel."""
    channels_per_client: int = 100
    joins_per_second: int = 100
    messages_per_second: int = 100
    """Broadcasts from all clients, averaged over up to a minute; broadcasts from the database are not counted."""
    presence_calls: int = 5
    """Calls of `track` and `untrack` per channel within `presence_window`."""
    presence_window: float = 30.0
    payload: int = 3_000_000
    """Maximum size of a client's broadcast."""
    idle_timeout: float = 60.0
    """Close a socket that sends neither a heartbeat nor anything else for this long."""
    send_timeout: float = 15.0
    """Disconnect a client that reads nothing for this long."""
    reader_wait: float = 3.0
    """Let a client that reads nothing delay what is published for this long; a busy one may stand still for seconds."""
    send_buffer: int = 8 * 1024 * 1024
    """Disconnect a client with more unsent data than this."""
    message_retention: float = 600.0
    """Store broadcasts from the database this long, for replays; a hosted project stores them for three days."""


def limits_from(overrides: Mapping[str, float]) -> Limits:
    """Return the default limits with overrides by name; raises LocalSupabaseError for a bad name or value."""
    kinds = {item.name: item.type for item in fields(Limits)}
    values: dict[str, Any] = {}
    for name, value in overrides.items():
        if name not in kinds:
            raise LocalSupabaseError(f"There is no limit '{name}': the limits are {', '.join(kinds)}.")
        is_whole = kinds[name] is int
        # A comparison with NaN is false, too.
        if not 0 <= value <= MAX_VALUE or (is_whole and value != int(value)):
            kind = "a whole number" if is_whole else "a number"
            raise LocalSupabaseError(f"The limit '{name}' cannot be {value}: choose {kind} from 0 to {MAX_VALUE}.")
        values[name] = int(value) if is_whole else value
    return replace(Limits(), **values)
