"""Supabase backend of the app: a given project or a local Supabase; no other module distinguishes the two."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
from pydantic import SecretStr

from local_supabase.child import OidcOptions
from local_supabase.errors import DataDirectoryError, LocalSupabaseError, PostgresError
from local_supabase.postgres.installation import find_programs
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.errors import ConfigurationError
from services.settings import Settings, SignUp

MIGRATIONS = Path(__file__).parents[2] / "supabase" / "migrations"
APP_ROLE = "livewatch_app"
MAIL_LINK = "{{ .SiteURL }}/session/confirm?token_hash={{ .TokenHash }}&type={{ .Type }}&next={{ .RedirectTo }}"
"""Links of Auth's mails lead to the app, since Auth listens on loopback only."""
DEMO_EMAIL = "demo@livewatch.local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Credentials of a user: the demo user, or the user in the settings."""

    email: str
    password: SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Addresses and credentials of a Supabase backend.

    Args:
        api_url: Base URL of Auth and Realtime.
        anon_key: The project's anon key.
        database_url: PostgreSQL URL of the app's role.
        sends_mail: Whether Auth sends mails; a project does, and the local Supabase with an SMTP server.
        demo: The demo user; None unless the Supabase is local.
        service_key: A secret key of the project, with which sign-ins state the client's address; None for none.
        owner_database_url: PostgreSQL URL of the tables' owner; None unless the Supabase is local.
        browser_auth_url: Address at which browsers reach Auth, for single sign-on.
        forwards_auth: Whether the app forwards browsers to Auth, which then listens on a loopback address only.
    """

    api_url: str
    anon_key: SecretStr
    database_url: SecretStr
    demo: Account | None
    sends_mail: bool = True
    owner_database_url: SecretStr | None = None
    service_key: SecretStr | None = None
    browser_auth_url: str = ""
    forwards_auth: bool = False


@asynccontextmanager
async def open_backend(
    settings: Settings, *, report: Callable[[str], None], joins: bool = False, address: str = ""
) -> AsyncIterator[Backend]:
    """Open the Supabase project in the settings; without one, run a local Supabase until the context exits.

    Args:
        settings: The settings of the app.
        report: Called with a line for each startup step.
        address: URL at which people reach the app, with which the links of Auth's mails begin; by default a local one.
        joins: Whether to use the local Supabase of an app that already runs on the same data directory.

    Raises:
        ConfigurationError: The local Supabase cannot start.
    """
    if settings.supabase_url and settings.supabase_anon_key and settings.database_url:
        report(f"Using the Supabase project at {settings.supabase_url}")
        yield Backend(
            api_url=str(settings.supabase_url),
            anon_key=settings.supabase_anon_key,
            database_url=settings.database_url,
            demo=None,
            service_key=settings.supabase_secret_key,
            browser_auth_url=f"{str(settings.supabase_url).rstrip('/')}/auth/v1",
        )
        return
    if joins and (running := _running(settings.data)):
        report(f"Using the local Supabase running at {running.api_url}")
        yield _backend(running, settings)
        return
    try:
        find_programs()
    except PostgresError as error:
        raise ConfigurationError(
            f"{error} Set SUPABASE_URL, SUPABASE_ANON_KEY and DATABASE_URL to use a Supabase project instead."
        ) from error
    site_url = address or f"http://localhost:{settings.port}{settings.root_path}"
    report(f"Starting the local Supabase; its data is in {settings.data.absolute()}")
    try:
        async with LocalSupabase.start(
            data=settings.data,
            migrations=MIGRATIONS,
            user=DEMO_EMAIL,
            app_role=APP_ROLE,
            site_url=site_url,
            external_url=f"{site_url}/auth/v1",
            oidc=_oidc(settings),
            smtp_url=settings.smtp_url.get_secret_value() if settings.smtp_url else None,
            mail_link=MAIL_LINK,
            disable_signup=settings.sign_up is not SignUp.OPEN,
            on_step=lambda step: report(step.text) if step.name not in ("ready", "error") else None,
        ) as local:
            backend = _backend(local.status, settings)
            yield replace(backend, browser_auth_url=f"{site_url}/auth/v1", forwards_auth=True)
    except LocalSupabaseError as error:
        raise ConfigurationError(str(error)) from error


def _oidc(settings: Settings) -> OidcOptions | None:
    if not settings.oidc_issuer:
        return None
    return OidcOptions(
        name=settings.oidc_provider_name,
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        sign_up_domains=tuple(sorted(settings.oidc_allowed_domains)),
    )


def _running(data: Path) -> LocalSupabaseStatus | None:
    with suppress(DataDirectoryError):
        status = LocalSupabaseStatus.read(data)
        if psutil.pid_exists(status.pid):
            return status
    return None


def _backend(status: LocalSupabaseStatus, settings: Settings) -> Backend:
    assert status.app_database_url is not None
    demo = None
    if status.demo_email and status.demo_password:
        demo = Account(email=status.demo_email, password=status.demo_password)
    return Backend(
        api_url=status.api_url,
        anon_key=status.anon_key,
        database_url=status.app_database_url,
        demo=demo,
        sends_mail=settings.smtp_url is not None,
        owner_database_url=status.database_url,
        service_key=status.service_role_key,
    )
