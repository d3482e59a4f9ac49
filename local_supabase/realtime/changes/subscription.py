"""A channel's subscription to table changes."""

from collections.abc import Callable
from dataclasses import dataclass, field

from local_supabase.realtime.changes.bindings import Binding
from local_supabase.realtime.protocol.frames import Outgoing


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subscription:
    """Bindings of one channel, with the role and claims (JSON text) of its token; compared by identity."""

    topic: str
    role: str
    claims: str
    bindings: tuple[Binding, ...]
    send: Callable[[Outgoing], None] = field(repr=False)
