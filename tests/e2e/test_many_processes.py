"""Two app processes over one Supabase behind nginx: they stay in sync, and one takes over from the other."""

import asyncio
import os
import re
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from services.entities import Stream
from tests.app_process import ROOT, AppProcess, launch, project_settings
from tests.browser import new_context
from tests.e2e.conftest import live, sign_in
from tests.e2e.notes import shows, type_at_end
from tests.speed import deadline
from tests.world import Person, World, until

NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed (Debian: apt-get install nginx-light)"),
]
MAIN = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/livewatch.conf;
}}
"""


@asynccontextmanager
async def proxy(folder: Path, apps: list[AppProcess]) -> AsyncIterator[str]:
    """Run nginx with the configuration of docs/deploy in front of these apps; yields its URL."""

    def configuration(port: int) -> str:
        text = (ROOT / "docs" / "deploy" / "nginx.conf").read_text().replace("listen 80;", f"listen 127.0.0.1:{port};")
        text = text.replace("/var/log/nginx/", f"{folder}/")
        for number, app in enumerate(apps, 1):
            text = text.replace(f"app{number}:8080", f"127.0.0.1:{app.url.rsplit(':', 1)[1]}")
        assert not re.search(r"app\d:8080", text)
        return text

    async with serving(folder, configuration) as url:
        yield url


def configure(folder: Path, server: str) -> None:
    """Write the configuration files of nginx."""
    folder.mkdir(exist_ok=True)
    (folder / "livewatch.conf").write_text(server)
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder))


@asynccontextmanager
async def serving(folder: Path, configuration: Callable[[int], str], *, path: str = "/healthz") -> AsyncIterator[str]:
    """Run nginx with the configuration for a port, until `path` is served; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configure(folder, configuration(port))
    assert NGINX
    process = await asyncio.create_subprocess_exec(
        NGINX, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"
    )
    try:
        async with httpx.AsyncClient(timeout=deadline(10)) as http:

            async def answers() -> bool:
                try:
                    return (await http.get(f"http://127.0.0.1:{port}{path}")).status_code == 200
                except httpx.TransportError:
                    return False

            await until(answers, within=10)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def windows_of(app: AppProcess) -> int:
    async with httpx.AsyncClient(timeout=deadline(10)) as http:
        found = re.search(r"^livewatch_windows (\d+)", (await http.get(f"{app.url}/metrics")).text, re.MULTILINE)
    assert found
    return int(found[1])


async def test_windows_of_two_processes_agree_and_outlive_one_of_them(
    world: World, browser: Browser, tmp_path: Path
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    folder = tmp_path / "nginx"
    folder.mkdir(mode=0o755)
    shared = {"LIVEWATCH_COOKIE_SECRET": "s" * 40, "LIVEWATCH_TRUSTED_PROXIES": "127.0.0.1"}
    async with AsyncExitStack() as stack:
        apps = []
        for name in ("one", "two"):
            app = await launch({**project_settings(world.status, tmp_path / name), **shared})
            stack.push_async_callback(app.stop)
            apps.append(app)
        await asyncio.gather(*(app.ready() for app in apps))
        url = await stack.enter_async_context(proxy(folder, apps))
        pages = await windows_on_both(stack, browser, url, apps, ada)
        seen_by_all = Stream(org_id=org, name="Seen by all")
        await world.insert(seen_by_all, by=ada)
        for page in [*pages[0], *pages[1]]:
            await expect(live(page, "streams", seen_by_all.id, "name")).to_be_visible()
        await write_notes(pages[0][0], pages[1][0], seen_by_all.id)
        await pages[0][0].locator('[data-lw-action="cycle-theme"]').click()
        theme = await pages[0][0].evaluate("document.documentElement.dataset.lwTheme")
        for page in pages[1]:
            await expect(page.locator(f'html[data-lw-theme="{theme}"]')).to_have_count(1)

        os.kill(apps[0].pid, signal.SIGKILL)
        meanwhile = Stream(org_id=org, name="Made meanwhile")
        await world.insert(meanwhile, by=ada)
        for page in pages[1]:
            await expect(live(page, "streams", meanwhile.id, "name")).to_be_visible()
        for page in pages[0]:
            await expect(live(page, "streams", meanwhile.id, "name")).to_be_visible()
            await expect(page).to_have_url(f"{url}/monitoring")
        await until(lambda: has_all(apps[1], pages), within=15)

        async with httpx.AsyncClient(base_url=url, timeout=deadline(10)) as http:
            assert (await http.get("/metrics")).status_code == 404
            assert (await http.get("/sign-in")).headers["set-cookie"].startswith("livewatch_browser=")
        # What the proxy says of the way is believed: it is named in the settings.
        async with httpx.AsyncClient(
            base_url=apps[1].url, headers={"X-Forwarded-Proto": "https"}, timeout=deadline(10)
        ) as http:
            answer = await http.post("/session", data={"email": ada.email, "password": ada.password})
            assert "Secure" in answer.headers["set-cookie"]
            assert "strict-transport-security" in answer.headers


async def write_notes(one: Page, other: Page, stream: UUID) -> None:
    """Have two windows type into the notes of a stream, and go back."""
    for page in (one, other):
        await page.goto(f"/streams/{stream}")
    await type_at_end(one, "one ")
    await shows(other, "one ")
    await type_at_end(other, "other")
    await shows(one, "one other")
    for page in (one, other):
        await page.goto("/monitoring")
        await page.wait_for_selector('body[data-live="connected"]')


async def windows_on_both(
    stack: AsyncExitStack, browser: Browser, url: str, apps: list[AppProcess], person: Person
) -> list[list[Page]]:
    """Open windows through the proxy until each of the two processes serves some."""
    pages: list[list[Page]] = [[], []]
    while not all(pages):
        assert sum(map(len, pages)) < 12, "nginx sends every browser to the same process"
        before = [await windows_of(app) for app in apps]
        context = await new_context(browser, base_url=url)
        stack.push_async_callback(context.close)
        page = await context.new_page()
        await sign_in(page, person, "/monitoring")
        await page.wait_for_selector('body[data-live="connected"]')
        after = [await windows_of(app) for app in apps]
        pages[0 if after[0] > before[0] else 1].append(page)
    return pages


async def has_all(app: AppProcess, pages: list[list[Page]]) -> bool:
    return await windows_of(app) >= sum(map(len, pages))
