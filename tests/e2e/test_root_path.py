"""The app below a path of another site, with and without a proxy in front."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from services.entities import Stream
from tests.app_process import project_settings, running
from tests.browser import new_context
from tests.e2e.conftest import live
from tests.e2e.test_many_processes import NGINX, serving
from tests.world import Person, World

pytestmark = pytest.mark.e2e
LOCATION = """
server {{
    listen 127.0.0.1:{port};
    location /watch/ {{
        proxy_pass {app}/;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Prefix /watch;
    }}
}}
map $http_upgrade $connection_upgrade {{ "" ""; default upgrade; }}
"""


@asynccontextmanager
async def configured(world: World, folder: Path) -> AsyncIterator[str]:
    """Run the app with a root path; yields its URL."""
    async with running({**project_settings(world.status, folder), "LIVEWATCH_ROOT_PATH": "/watch/"}) as app:
        yield app.url if app.url.endswith("/watch") else f"{app.url}/watch"


@asynccontextmanager
async def behind_nginx(world: World, folder: Path) -> AsyncIterator[str]:
    """Run the app behind nginx, which strips the prefix and announces it; yields its URL."""
    environment = {**project_settings(world.status, folder / "app"), "LIVEWATCH_TRUSTED_PROXIES": "127.0.0.1"}
    (folder / "app").mkdir()
    async with (
        running(environment) as app,
        serving(folder / "nginx", lambda port: LOCATION.format(port=port, app=app.url), path="/watch/healthz") as url,
    ):
        yield f"{url}/watch"


@pytest.mark.parametrize(
    "start",
    [
        configured,
        pytest.param(behind_nginx, marks=pytest.mark.skipif(NGINX is None, reason="nginx is not installed")),
    ],
)
async def test_everything_works_below_a_path(world: World, browser: Browser, tmp_path: Path, start: object) -> None:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name="Import")
    await world.insert(stream, by=ada)
    assert callable(start)
    async with start(world, tmp_path) as base:
        await visit(browser, base, ada, world, stream)


async def visit(browser: Browser, base: str, ada: Person, world: World, stream: Stream) -> None:
    """Sign in, watch a change, navigate, export, follow a deep link, sign out."""
    context = await new_context(browser)
    page = await context.new_page()
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.on("request", lambda request: failed.append(request.url) if not request.url.startswith(base) else None)
    await page.goto(f"{base}/streams/{stream.id}")
    await page.get_by_label("E-mail").fill(ada.email)
    await page.get_by_label("Password").fill(ada.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{base}/streams/{stream.id}")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Import")
    await page.get_by_role("link", name="All streams").click()
    await page.wait_for_url(f"{base}/monitoring")
    await page.get_by_test_id("search").fill("imp")
    await page.wait_for_url(f"{base}/monitoring?q=imp")
    await world.sql("update streams set name = 'Import 2' where id = %s", stream.id)
    await expect(live(page, "streams", stream.id, "name")).to_have_text("Import 2")
    async with page.expect_download() as download:
        await page.get_by_test_id("export").click()
    assert (await download.value).url.startswith(base)
    await page.get_by_role("link", name="Scans", exact=True).click()
    await page.wait_for_url(f"{base}/monitoring/scans")
    await page.go_back()
    await page.wait_for_url(f"{base}/monitoring?q=imp")
    await page.get_by_role("link", name="Connect your code").first.click()
    await expect(page.get_by_text(f"{base}/api/v1").first).to_be_visible()
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url(f"{base}/sign-in**")
    await context.close()
    assert failed == []
