"""The container of app-lived services that the pages use; built once in main.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from components.window.frame_scheduler import FrameScheduler
from components.window.registry import WindowRegistry
from pages.page.session_cookie import SessionCookie
from services.auth.client import Auth, Tokens
from services.auth.sessions import Sessions
from services.demo.example_scan import ExampleScan
from services.infra.database import Database
from services.ingest import EventStreamHub, Ingest
from services.plan import Plan
from services.realtime import RealtimeService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services behind the pages; their owner is main.py.

    `enter_demo` opens a session of the demo user; None unless the local Supabase runs and the app listens on a loopback
    address only. `scan` runs the example scan; None without the local Supabase.
    """

    auth: Auth
    cookie: SessionCookie
    database: Database
    enter_demo: Callable[[], Awaitable[Tokens]] | None
    event_streams: EventStreamHub
    ingest: Ingest
    metrics_token: SecretStr | None
    plan: Plan
    realtime: RealtimeService
    scan: ExampleScan | None
    scheduler: FrameScheduler
    sessions: Sessions
    windows: WindowRegistry
