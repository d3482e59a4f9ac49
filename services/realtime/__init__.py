"""The feed: one shared service over Supabase Realtime that keeps rows in memory equal to the database."""

from services.realtime.rows import Delta
from services.realtime.service import RealtimeService
from services.realtime.source import DatabaseSource
from services.realtime.status import FeedStatus
from services.realtime.subscription import Lessee, Subscription
from services.realtime.supabase_broadcast import SupabaseBroadcast

__all__ = [
    "DatabaseSource",
    "Delta",
    "FeedStatus",
    "Lessee",
    "RealtimeService",
    "Subscription",
    "SupabaseBroadcast",
]
