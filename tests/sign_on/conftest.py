"""Fixtures: a provider, and apps that sign in by it, with their own local Supabase and with one as a project."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from uuid import uuid4

import httpx
import psycopg
import pytest

from local_supabase.child import OidcOptions
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from local_supabase.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, oidc_provider, person
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from tests.app_process import AppProcess, project_settings, running
from tests.speed import deadline

ORGANIZATION = "Works"
MAPPING = {
    "LIVEWATCH_OIDC_LABEL": "Sign in with Works",
    "LIVEWATCH_OIDC_DOMAINS": "works.example",
    "LIVEWATCH_OIDC_ROLES": "/watchers=viewer; /engineers=operator; /admins=admin",
    "LIVEWATCH_OIDC_ORGANIZATION": ORGANIZATION,
}


@dataclass(kw_only=True)
class Site:
    """A running app with single sign-on, its provider, and its database as the owner."""

    app: AppProcess
    provider: OidcProvider
    database_url: str
    auth_url: str

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(self.database_url, autocommit=True) as connection:
            cursor = await connection.execute(statement.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def role(self) -> str | None:
        """Return the provider's person's role in the organisation."""
        rows = await self.sql(
            "select member.role from org_members member join auth.users u on u.id = member.user_id"
            " join organizations o on o.id = member.org_id where u.email = %s and o.name = %s",
            self.provider.person["email"],
            ORGANIZATION,
        )
        return rows[0][0] if rows else None

    @asynccontextmanager
    async def browser(self) -> AsyncIterator["Browser"]:
        async with httpx.AsyncClient(base_url=self.app.url, timeout=deadline(20)) as http:
            yield Browser(self, http)


@dataclass
class Browser:
    """An HTTP client with a cookie jar that follows redirects and remembers them."""

    site: Site
    http: httpx.AsyncClient

    async def follow(self, url: str, *, until: str = "") -> str:
        """Follow redirects to a page, or to an address with `until` in it; returns where it ended."""
        url = urljoin(self.site.app.url, url)
        for _ in range(12):
            if until and until in url:
                return url
            answer = await self.http.get(url)
            if not answer.is_redirect:
                return url
            url = urljoin(url, answer.headers["location"])
        raise AssertionError(f"a loop of redirects at {url}")

    async def sign_in(self, target: str = "/monitoring") -> str:
        """Begin single sign-on and follow it; returns the path where it ended."""
        url = await self.follow(f"/session/sso/start?next={target}")
        assert url.startswith(self.site.app.url), url
        return url.removeprefix(self.site.app.url)

    async def come_back(self) -> str:
        """Begin single sign-on; returns the address of the app with the code, not opened yet."""
        return await self.follow("/session/sso/start?next=/monitoring", until="/session/sso?")

    async def is_in(self) -> bool:
        return (await self.http.get("/monitoring")).status_code == 200


def reason_of(path: str) -> str:
    parts = urlsplit(path)
    assert parts.path == "/sign-in", path
    return parse_qs(parts.query)["reason"][0]


@pytest.fixture(scope="package")
async def oidc() -> AsyncIterator[OidcProvider]:
    async with oidc_provider() as provider:
        yield provider


@pytest.fixture(scope="package")
async def embedded(oidc: OidcProvider) -> AsyncIterator[Site]:
    """Yield an app that runs its own local Supabase, whose Auth browsers cannot reach."""
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        environment = {
            "LIVEWATCH_DATA": f"{folder}/data",
            "LIVEWATCH_DEMO_SCAN": "0",
            "LIVEWATCH_OIDC_ISSUER": oidc.url,
            "LIVEWATCH_OIDC_CLIENT_ID": CLIENT_ID,
            "LIVEWATCH_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            **MAPPING,
        }
        async with running(environment) as app:
            status = LocalSupabaseStatus.read(Path(folder) / "data")
            url = status.database_url.get_secret_value()
            yield Site(app=app, provider=oidc, database_url=url, auth_url=status.api_url)


@pytest.fixture(scope="package")
async def project(oidc: OidcProvider) -> AsyncIterator[Site]:
    """Yield an app with a project, whose Auth browsers reach themselves."""
    options = OidcOptions(name="keycloak", issuer=oidc.url, client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        async with LocalSupabase.start(
            data=Path(folder) / "data", migrations=MIGRATIONS, user=DEMO_EMAIL, app_role=APP_ROLE, oidc=options
        ) as local:
            environment = {
                **project_settings(local.status, Path(folder) / "app"),
                "LIVEWATCH_OIDC_PROVIDER": "keycloak",
                **MAPPING,
            }
            async with running(environment) as app:
                yield Site(
                    app=app,
                    provider=oidc,
                    database_url=local.status.database_url.get_secret_value(),
                    auth_url=local.status.api_url,
                )


async def prepared(site: Site) -> Site:
    """Return the site without faults, with the organisation and a new person at the provider."""
    fresh, provider = OidcProvider(port=site.provider.port), site.provider
    for name in ("has_form", "fault", "error", "algorithm", "only_at_userinfo"):
        setattr(provider, name, getattr(fresh, name))
    provider.person = person(f"{uuid4().hex[:10]}@works.example", groups=["/engineers"])
    if not await site.sql("select 1 from organizations where name = %s", ORGANIZATION):
        await site.sql("insert into organizations (name) values (%s)", ORGANIZATION)
    return site


@pytest.fixture(params=["embedded", "project"])
async def site(request: pytest.FixtureRequest, embedded: Site, project: Site) -> Site:
    """Yield each kind of site: one code path serves both."""
    return await prepared(embedded if request.param == "embedded" else project)


@pytest.fixture
async def own(embedded: Site) -> Site:
    return await prepared(embedded)
