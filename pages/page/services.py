"""Container of the app's services, built once in main.py."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import SecretStr

from components.window.frame_scheduler import FrameScheduler
from components.window.registry import WindowRegistry
from pages.page.preferences_store import PreferencesHub
from pages.page.session_cookie import SessionCookie
from pages.page.teams.hub import TeamHub
from services.analytics.shared import BoardReadings
from services.auth.account_options import AccountOptions
from services.auth.client import Auth, Tokens
from services.auth.mail_links import MailLinks
from services.auth.password_check import PasswordCheck
from services.auth.sessions import Sessions
from services.auth.single_sign_on import SingleSignOn
from services.delivery.deliverer import Couriers
from services.delivery.sealing import Sealer
from services.demo.example_scan import ExampleScan
from services.history.deletions import Deletions
from services.infra.database import Database
from services.ingest import EventStreamHub, Ingest
from services.mail.mailer import MailService
from services.notes.hub import NotesHub
from services.people.session_uses import SessionUses
from services.plan import Plan
from services.presence.typing import Typing
from services.presence.viewer_reports import ViewerReports
from services.push.sender import PushSender
from services.realtime import RealtimeService
from services.results.artefact_files import ArtefactFiles
from services.status.reading import StatusReadings


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Services that the pages use; main.py owns and closes them.

    `enter_demo` opens a session of the demo user; it is None unless the Supabase is local and the app listens on a
    loopback address only. `no_demo` says why it is None, and is empty without a local Supabase. `demo_email` is the
    address of the demo user, empty while the demo cannot be entered. `scan` runs the example scan; it is None without
    the local Supabase. `mail` sends the app's own mails; it is None without an SMTP server. `sign_on` signs in by an
    external provider; it is None where none is configured.
    """

    accounts: AccountOptions
    auth: Auth
    boards: BoardReadings
    cookie: SessionCookie
    couriers: Couriers
    database: Database
    deletions: Deletions
    enter_demo: Callable[[], Awaitable[Tokens]] | None
    event_streams: EventStreamHub
    files: ArtefactFiles
    ingest: Ingest
    no_demo: str = ""
    links: MailLinks
    mail: MailService | None
    demo_email: str = ""
    metrics_token: SecretStr | None
    notes: NotesHub
    passwords: PasswordCheck
    plan: Plan
    preferences: PreferencesHub
    push: PushSender
    realtime: RealtimeService
    scan: ExampleScan | None
    scheduler: FrameScheduler
    sealer: Sealer
    session_uses: SessionUses
    sessions: Sessions
    sign_on: SingleSignOn | None = None
    statuses: StatusReadings
    teams: TeamHub
    typing: Typing
    viewers: ViewerReports
    windows: WindowRegistry
