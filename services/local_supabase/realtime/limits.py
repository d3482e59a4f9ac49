"""The limits of the Realtime server, as a hosted project has them; each can be set."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds, sizes in bytes, rates per second."""

    channels_per_client: int = 100
    idle_timeout: float = 60.0
    """Without a heartbeat or anything else a socket is closed after this."""
    send_timeout: float = 15.0
    """A client that takes nothing for this long is cut."""
    send_buffer: int = 8 * 1024 * 1024
    """A client that lets more than this pile up is cut."""
