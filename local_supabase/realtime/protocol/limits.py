"""Limits of the Realtime server; the defaults are those of a hosted project."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from local_supabase.errors import LocalSupabaseError


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
    send_buffer: int = 8 * 1024 * 1024
    """Disconnect a client with more unsent data than this."""


def limits_from(overrides: Mapping[str, float]) -> Limits:
    """Return the default limits with overrides by name; raises LocalSupabaseError for a bad name or value."""
    kinds = {item.name: item.type for item in fields(Limits)}
    for name, value in overrides.items():
        if name not in kinds:
            raise LocalSupabaseError(f"There is no limit '{name}': the limits are {', '.join(kinds)}.")
        if value < 0:
            raise LocalSupabaseError(f"The limit '{name}' cannot be {value}: choose a number of at least 0.")
    values: dict[str, Any] = {name: int(value) if kinds[name] is int else value for name, value in overrides.items()}
    return replace(Limits(), **values)
