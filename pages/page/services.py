"""What every page is given: the services of this process, built once in main.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from components.window.frame_scheduler import FrameScheduler
from pages.http.session_cookie import SessionCookie
from services.auth.client import Auth, Tokens
from services.auth.sessions import Sessions
from services.demo.example_scan import ExampleScan
from services.infra.database import Database
from services.ingest import EventStreamHub, Ingest
from services.plan import Plan
from services.realtime import RealtimeService


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The services behind the pages.

    `enter_demo` opens a session of the demo user; it is None unless the local Supabase runs and the app listens on
    the loopback interface only. `scan` runs the example scan, where it can.
    """

    auth: Auth
    cookie: SessionCookie
    database: Database
    enter_demo: Callable[[], Awaitable[Tokens]] | None
    ingest: Ingest
    metrics_token: SecretStr | None
    scheduler: FrameScheduler
    plan: Plan
    realtime: RealtimeService
    scan: ExampleScan | None
    sessions: Sessions
    tails: EventStreamHub
