"""Fixtures: the Auth endpoints over plain HTTP, and official clients with either key."""

from collections.abc import AsyncIterator

import httpx
import pytest

from local_supabase.process import LocalSupabase
from local_supabase.tests.speed import deadline
from supabase import AsyncClient, AsyncClientOptions, acreate_client


@pytest.fixture
async def http(local: LocalSupabase) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"apikey": local.status.anon_key.get_secret_value()}
    async with httpx.AsyncClient(
        base_url=f"{local.status.api_url}/auth/v1", headers=headers, timeout=deadline(10)
    ) as client:
        yield client


@pytest.fixture
async def service(local: LocalSupabase) -> AsyncIterator[httpx.AsyncClient]:
    """Plain HTTP with the key of the service role."""
    key = local.status.service_role_key.get_secret_value()
    headers = {"apikey": key, "authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(
        base_url=f"{local.status.api_url}/auth/v1", headers=headers, timeout=deadline(10)
    ) as client:
        yield client


@pytest.fixture
async def supabase(local: LocalSupabase) -> AsyncIterator[AsyncClient]:
    async with httpx.AsyncClient(timeout=deadline(10)) as http_client:
        options = AsyncClientOptions(httpx_client=http_client, auto_refresh_token=False)
        yield await acreate_client(local.status.api_url, local.status.anon_key.get_secret_value(), options)


@pytest.fixture
async def admin(local: LocalSupabase) -> AsyncIterator[AsyncClient]:
    async with httpx.AsyncClient(timeout=deadline(10)) as http_client:
        options = AsyncClientOptions(httpx_client=http_client, auto_refresh_token=False)
        yield await acreate_client(local.status.api_url, local.status.service_role_key.get_secret_value(), options)
