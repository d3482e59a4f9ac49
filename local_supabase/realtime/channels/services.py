"""Services that all channels of the server share."""

from dataclasses import dataclass, field
from typing import Protocol

from local_supabase.auth.keys import Claims, Verifier
from local_supabase.postgres.pool import Pool
from local_supabase.realtime.changes.table_changes import TableChanges
from local_supabase.realtime.channels.authorization import Authorization
from local_supabase.realtime.channels.broadcasts import DatabaseBroadcasts
from local_supabase.realtime.channels.presence import Presence
from local_supabase.realtime.channels.topics import Listener, Topics
from local_supabase.realtime.protocol.frames import Outgoing
from local_supabase.realtime.protocol.limits import Limits
from local_supabase.realtime.protocol.send_buffers import SendBuffers
from local_supabase.web.rate_limiter import AverageRateLimiter


class Client(Protocol):
    """A socket, as its channels use it."""

    claims: Claims
    """Of the API key."""

    def send(self, message: Outgoing) -> None:
        """Send a message without waiting."""

    def detach(self, channel: Listener) -> None:
        """Remove a channel that has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeServices:
    """Dependencies of sockets, channels and endpoints; `users` holds the clients with at least one channel."""

    verifier: Verifier
    topics: Topics
    authorization: Authorization
    broadcasts: DatabaseBroadcasts
    changes: TableChanges
    presence: Presence
    pool: Pool
    limits: Limits
    send_buffers: SendBuffers
    message_rate: AverageRateLimiter
    join_rate: AverageRateLimiter
    users: set[Client] = field(default_factory=set)
