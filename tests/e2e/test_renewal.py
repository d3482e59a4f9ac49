"""Sessions with short tokens: few renewals, and after a forced sign-in back to where the person was."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from local_supabase.process import LocalSupabase
from services.auth.client import Auth
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.database import Database
from tests.app_process import project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, sign_in
from tests.world import World

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def world_of(data: Path, *, token_seconds: int) -> AsyncIterator[World]:
    """Start a world whose access tokens last so long."""
    async with LocalSupabase.start(
        data=data, migrations=MIGRATIONS, app_role=APP_ROLE, token_lifetime=token_seconds
    ) as local:
        assert local.status.app_database_url
        async with (
            Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
            Database(local.status.app_database_url) as database,
            World(data, local, auth, database) as world,
        ):
            yield world


@pytest.fixture
async def brief(tmp_path: Path) -> AsyncIterator[World]:
    """A world whose access tokens last 100 s."""
    async with world_of(tmp_path / "data", token_seconds=100) as world:
        yield world


async def test_two_windows_with_tokens_of_100_s_renew_no_more_than_needed(
    brief: World, browser: Browser, tmp_path: Path
) -> None:
    person = await brief.person(await brief.organization())
    count = "select count(*) from auth.refresh_tokens where user_id::text = %s"
    async with running(project_settings(brief.status, tmp_path / "app")) as app:
        context = await new_context(browser, base_url=app.url)
        pages = [await context.new_page() for _ in range(2)]
        await sign_in(pages[0], person, "/monitoring")
        await pages[1].goto("/alerts")
        for page in pages:
            await page.wait_for_selector('body[data-live="connected"]')
        ((before,),) = await brief.sql(count, str(person.id))
        await asyncio.sleep(12)  # the time over which renewals are counted
        ((after,),) = await brief.sql(count, str(person.id))
        assert after - before <= 1
        await context.close()


@pytest.mark.lasting
async def test_ten_windows_of_two_processes_renew_one_session_and_nobody_is_signed_out(
    browser: Browser, tmp_path: Path
) -> None:
    """Each process has a copy of the tokens, and the refresh token works once: who comes second must take the new one.

    `LIVEWATCH_RENEWAL_SECONDS=300` lengthens it, with tokens of 60 s then.
    """
    seconds = float(os.environ.get("LIVEWATCH_RENEWAL_SECONDS", "34"))
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(world_of(tmp_path / "data", token_seconds=60 if seconds > 120 else 15))
        person = await world.person(await world.organization())
        secret = {"LIVEWATCH_COOKIE_SECRET": "one secret of both processes, of enough length"}
        apps = [
            await stack.enter_async_context(
                running({**project_settings(world.status, tmp_path / f"app{number}"), **secret})
            )
            for number in range(2)
        ]
        context = await new_context(browser)
        pages = [await context.new_page() for _ in range(10)]
        await sign_in(pages[0], person, f"{apps[0].url}/monitoring")
        for number, page in enumerate(pages):
            await page.goto(f"{apps[number % 2].url}/monitoring")
            await page.wait_for_selector('body[data-live="connected"]')
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            await asyncio.sleep(2)  # the time over which the session is renewed
            assert not [page.url for page in pages if "/sign-in" in page.url]
        for page in pages:
            await page.reload()
            await page.wait_for_selector('body[data-live="connected"]')
        assert "the session has ended" not in "".join(line.lower() for app in apps for line in app.lines)
        await context.close()


async def test_after_a_forced_sign_in_a_person_is_back_where_they_were(world: World, window: SignedIn) -> None:
    person = await world.person(await world.organization())
    page = await window(person, "/monitoring/scans?status=failed")
    await world.sql("delete from auth.sessions where user_id = %s", person.id)
    await page.wait_for_url("**/sign-in?**")
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/monitoring/scans?status=failed")
    await page.wait_for_selector('body[data-live="connected"]')
