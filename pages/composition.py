"""Composition: the services and pages of one app process, from its settings and its backend."""

import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from fastapi import FastAPI

from components.window.frame_scheduler import FrameScheduler
from components.window.registry import WindowRegistry
from pages.app import create_app
from pages.page.preferences_store import PreferencesHub
from pages.page.services import Services
from pages.page.session_cookie import SessionCookie
from pages.page.teams.hub import TeamHub
from services.analytics.shared import BoardReadings
from services.auth.account_options import AccountOptions
from services.auth.client import Auth
from services.auth.mail_links import MailLinks
from services.auth.password_check import PasswordCheck
from services.auth.sessions import Sessions
from services.auth.single_sign_on import SignOnOptions, SingleSignOn
from services.delivery.deliverer import Couriers, Deliverer
from services.delivery.sealing import Sealer
from services.demo.demo import Demo
from services.demo.example_scan import ExampleScan
from services.history.deletions import Deletions
from services.infra.backend import Backend
from services.infra.database import Database
from services.infra.kept_secret import kept_secret
from services.infra.rate_limiter import Rate, RateLimiter
from services.infra.web_server import is_loopback, network_url
from services.ingest import ApiKeyVerifier, EventStreamHub, Ingest
from services.mail.mailer import MailService, open_mail
from services.notes.hub import NotesHub
from services.operations.administration.users import setup_link
from services.operations.migrations import connect_as_owner
from services.operations.upkeep.log_blocks import LogBlocks
from services.operations.upkeep.presence import note_presence
from services.operations.upkeep.retention import Retention
from services.operations.upkeep.rollups import Rollups
from services.people.session_uses import SessionUses
from services.presence.typing import Typing
from services.presence.viewer_reports import ViewerReports
from services.push.application_key import application_key
from services.push.courier import PushCourier
from services.push.sender import PushSender
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService
from services.results.artefact_files import ArtefactFiles, DirectoryFiles, StorageFiles
from services.rules.engine import RuleEngine
from services.schedules.watcher import Watcher
from services.settings import Settings
from services.status.reading import StatusReadings


async def compose(
    settings: Settings, backend: Backend, own_url: str, address: str, stack: AsyncExitStack
) -> tuple[FastAPI, Callable[[], Awaitable[None]]]:
    """Build the services and the pages; the stack closes them.

    Args:
        settings: The settings of the app.
        backend: The Supabase backend.
        own_url: URL at which processes on this machine reach the app.
        address: URL at which people reach the app.
        stack: Stack that owns the services.

    Returns:
        The app, and a function to await before shutdown, which notifies windows and clients and stops the example scan.
    """
    database = await stack.enter_async_context(Database(backend.database_url))
    await database.verify()
    auth = await stack.enter_async_context(
        Auth(url=backend.api_url, key=backend.anon_key, service_key=backend.service_key)
    )
    mail = await stack.enter_async_context(open_mail(settings.smtp_url))
    links = await stack.enter_async_context(MailLinks(auth))
    transport = TRANSPORTS[settings.feed](url=backend.api_url, key=backend.anon_key, client=settings.realtime_client)
    realtime = await stack.enter_async_context(RealtimeService(transport=transport, source=DatabaseSource(database)))
    files = open_files(settings, backend)
    stack.push_async_callback(files.aclose)
    await open_upkeep(database, files, stack)
    sealer, couriers = await open_delivery(settings, database, mail, address, stack)
    demo, scan = open_demo(settings, backend, auth, database, own_url)
    if scan:
        stack.push_async_callback(scan.aclose)
    no_demo = why_no_demo(settings) if demo else ""
    event_streams = await stack.enter_async_context(EventStreamHub(database))
    windows = WindowRegistry()
    preferences = PreferencesHub()
    realtime.on_profile = preferences.reload
    teams = TeamHub(database)
    realtime.on_team = teams.changed
    typing, notes = await open_signals(database, realtime, stack)
    app = create_app(
        Services(
            accounts=AccountOptions(sign_up=settings.sign_up, sends_mail=backend.sends_mail, address=address),
            auth=auth,
            boards=BoardReadings(database),
            cookie=SessionCookie(settings.cookie_secret or kept_secret(settings.data / "cookie_secret")),
            couriers=couriers,
            database=database,
            deletions=await stack.enter_async_context(Deletions(database)),
            enter_demo=None if no_demo else demo.enter if demo else None,
            no_demo=no_demo,
            demo_email=backend.demo.email if backend.demo and not no_demo else "",
            ingest=Ingest(
                database,
                ApiKeyVerifier(database),
                RateLimiter(Rate(per_second=settings.ingest_rate, burst=settings.ingest_burst)),
            ),
            links=links,
            mail=mail,
            metrics_token=settings.metrics_token,
            scheduler=FrameScheduler(),
            sealer=sealer,
            passwords=PasswordCheck(auth),
            plan=settings.plan,
            notes=notes,
            preferences=preferences,
            push=await open_push(settings, database, address, stack),
            teams=teams,
            realtime=realtime,
            scan=scan,
            session_uses=SessionUses(database),
            sessions=Sessions(auth),
            sign_on=single_sign_on(settings, backend, auth, database),
            statuses=await open_statuses(database, stack),
            event_streams=event_streams,
            files=files,
            typing=typing,
            viewers=await stack.enter_async_context(ViewerReports(database)),
            windows=windows,
        )
    )

    async def announce_shutdown() -> None:
        event_streams.end()
        windows.announce_shutdown()
        if scan:
            # Stop the scan while the API still accepts its final report.
            await scan.aclose()

    return app, announce_shutdown


def open_files(settings: Settings, backend: Backend) -> ArtefactFiles:
    """Return where artefacts are: in the project's Storage if its secret key is set, else in the data directory."""
    if not settings.is_embedded and backend.service_key is not None:
        return StorageFiles(url=backend.api_url, key=backend.service_key)
    return DirectoryFiles(settings.data / "artefacts")


async def open_upkeep(database: Database, files: ArtefactFiles, stack: AsyncExitStack) -> None:
    """Start what one process of several does with time; the stack ends it."""
    await note_presence(database)
    await stack.enter_async_context(Retention(database, files))
    await stack.enter_async_context(Rollups(database))
    await stack.enter_async_context(LogBlocks(database))
    await stack.enter_async_context(Watcher(database))


async def open_delivery(
    settings: Settings, database: Database, mail: MailService | None, address: str, stack: AsyncExitStack
) -> tuple[Sealer, Couriers]:
    """Start what applies rules and delivers messages; returns what their pages need, and the stack ends it."""
    sealer = Sealer(settings.channel_secret or kept_secret(settings.data / "channel_secret"))
    couriers = Couriers(sealer, mail, allow_private=settings.private_channels)
    stack.callback(couriers.close)
    await stack.enter_async_context(RuleEngine(database, address=address))
    await stack.enter_async_context(Deliverer(database, couriers))
    return sealer, couriers


async def open_signals(database: Database, realtime: RealtimeService, stack: AsyncExitStack) -> tuple[Typing, NotesHub]:
    """Build the services that hear signals of Realtime besides rows; the stack closes them."""
    typing = await stack.enter_async_context(Typing(database))
    realtime.on_typing = typing.received
    notes = await stack.enter_async_context(NotesHub(database))
    realtime.on_notes = notes.received
    return typing, notes


async def open_statuses(database: Database, stack: AsyncExitStack) -> StatusReadings:
    """Return what reads status pages; the stack ends its reads."""
    return await stack.enter_async_context(StatusReadings(database))


async def open_push(settings: Settings, database: Database, address: str, stack: AsyncExitStack) -> PushSender:
    """Start telling devices what comes to their people's inboxes; the stack ends it."""
    contact = settings.push_contact or (address if address.startswith("https://") else "")
    sender = await stack.enter_async_context(
        PushSender(application_key(settings.data, settings.vapid_key, contact=contact))
    )
    await stack.enter_async_context(PushCourier(database, sender))
    return sender


def open_demo(
    settings: Settings, backend: Backend, auth: Auth, database: Database, own_url: str
) -> tuple[Demo | None, ExampleScan | None]:
    """Return the demo and the example scan of a local Supabase, which the caller closes; None for a project."""
    if backend.demo is None:
        return None, None
    scan = ExampleScan(database, url=own_url)
    return Demo(backend.demo, auth=auth, database=database, scan=scan if settings.demo_scan else None), scan


def single_sign_on(settings: Settings, backend: Backend, auth: Auth, database: Database) -> SingleSignOn | None:
    """Return the single sign-on of the settings; None without a provider."""
    if not settings.oidc_provider_name:
        return None
    options = SignOnOptions(
        provider=settings.oidc_provider_name,
        label=settings.oidc_label,
        address=str(settings.public_url).rstrip("/") if settings.public_url else "",
        browser_auth_url=backend.browser_auth_url,
        forward_to=f"{backend.api_url}/auth/v1" if backend.forwards_auth else "",
        domains=settings.oidc_allowed_domains,
        role_of_group=settings.oidc_role_of_group,
        organization=settings.oidc_organization,
    )
    return SingleSignOn(auth, database, options)


async def first_setup(settings: Settings, backend: Backend, listener: socket.socket) -> str | None:
    """Return the link that makes the first account of a local Supabase whose demo is closed; None if there is one."""
    if backend.demo is None or backend.owner_database_url is None or not why_no_demo(settings):
        return None
    address = network_url(settings, listener.getsockname()[1])
    async with await connect_as_owner(backend.owner_database_url) as connection:
        return await setup_link(connection, address=address, demo_email=backend.demo.email)


def why_no_demo(settings: Settings) -> str:
    """Return why a local Supabase's demo cannot be entered without a password; empty if it can."""
    if not settings.demo:
        return "The demo is switched off (LIVEWATCH_DEMO=0)."
    if not is_loopback(settings.host):
        return "The demo is not offered, since other machines can connect to this server (LIVEWATCH_HOST)."
    return ""
