"""Fixtures: a provider, a local Supabase that signs in by it, and a browser that follows its redirects."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from supabase_auth import AsyncGoTrueClient, AsyncMemoryStorage

from local_supabase.child import OidcOptions
from local_supabase.process import LocalSupabase
from local_supabase.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, oidc_provider, person
from local_supabase.tests.speed import deadline
from local_supabase.tests.tools import MIGRATIONS, new_address, owner_of

TARGET = "http://localhost:8080/welcome?here=1"


@pytest.fixture(scope="package")
async def running_provider() -> AsyncIterator[OidcProvider]:
    async with oidc_provider() as provider:
        yield provider


@pytest.fixture(scope="package")
async def external(running_provider: OidcProvider) -> AsyncIterator[LocalSupabase]:
    """A local Supabase with the provider `keycloak`."""
    options = OidcOptions(
        name="keycloak",
        issuer=running_provider.url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        sign_up_domains=("example.com",),
    )
    with TemporaryDirectory(prefix="local-supabase-", ignore_cleanup_errors=True) as folder:
        async with LocalSupabase.start(data=Path(folder) / "data", migrations=MIGRATIONS, oidc=options) as local:
            yield local


@pytest.fixture
async def provider(running_provider: OidcProvider) -> OidcProvider:
    """The provider without faults, whose person is new."""
    fresh = OidcProvider(port=running_provider.port)
    for name in ("has_form", "fault", "error", "algorithm", "only_at_userinfo", "issuer"):
        setattr(running_provider, name, getattr(fresh, name))
    running_provider.person = person(new_address())
    running_provider.counts.clear()
    running_provider.requests.clear()
    return running_provider


@dataclass
class Browser:
    """A browser and the official client of an application."""

    http: httpx.AsyncClient
    client: AsyncGoTrueClient
    api_url: str

    async def start(self, **options: Any) -> str:
        """Return the address of `sign_in_with_oauth`."""
        chosen: Any = {"redirect_to": TARGET, **options}
        answer = await self.client.sign_in_with_oauth({"provider": "keycloak", "options": chosen})
        return answer.url

    async def follow(self, url: str) -> str:
        """Follow redirects up to the application's address; returns it."""
        for _ in range(6):
            answer = await self.http.get(url)
            assert answer.is_redirect, answer.text
            url = answer.headers["location"]
            if url.startswith(("http://localhost:8080", "http://localhost:3000")):
                return url
        raise AssertionError(f"too many redirects: {url}")

    async def sign_in(self, **options: Any) -> dict[str, Any]:
        """Sign in; returns the session as JSON, or the parameters of the error."""
        answer = query_of(await self.follow(await self.start(**options)))
        if "code" not in answer:
            return answer
        session = (await self.client.exchange_code_for_session({"auth_code": answer["code"]})).session
        assert session
        return session.model_dump(mode="json")


@pytest.fixture
async def browser(external: LocalSupabase) -> AsyncIterator[Browser]:
    async with httpx.AsyncClient(timeout=deadline(20)) as http:
        key = external.status.anon_key.get_secret_value()
        client = AsyncGoTrueClient(
            url=f"{external.status.api_url}/auth/v1",
            headers={"apikey": key},
            http_client=http,
            flow_type="pkce",
            storage=AsyncMemoryStorage(),
            auto_refresh_token=False,
        )
        yield Browser(http, client, external.status.api_url)


@pytest.fixture
async def owner(external: LocalSupabase) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    async with owner_of(external) as connection:
        yield connection


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


def fragment_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).fragment, keep_blank_values=True).items()}
