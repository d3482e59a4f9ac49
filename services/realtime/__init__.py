"""The feed: one shared service over Supabase Realtime that keeps rows in memory equal to the database."""

from services.realtime.feed import Feed
from services.realtime.rows import Delta
from services.realtime.service import RealtimeService
from services.realtime.source import DatabaseSource
from services.realtime.status import FeedStatus
from services.realtime.subscription import Subscriber, Subscription
from services.realtime.transports.broadcast import SupabaseBroadcast
from services.realtime.transports.notes_signal import CaretSignal, NotesSignal
from services.realtime.transports.postgres_changes import SupabaseChanges
from services.realtime.transports.transport import Transport
from services.realtime.transports.typing_signal import TypingKind, TypingSignal

TRANSPORTS = {transport.kind: transport for transport in (SupabaseBroadcast, SupabaseChanges)}

__all__ = [
    "TRANSPORTS",
    "CaretSignal",
    "DatabaseSource",
    "Delta",
    "Feed",
    "FeedStatus",
    "NotesSignal",
    "RealtimeService",
    "Subscriber",
    "Subscription",
    "SupabaseBroadcast",
    "SupabaseChanges",
    "Transport",
    "TypingKind",
    "TypingSignal",
]
