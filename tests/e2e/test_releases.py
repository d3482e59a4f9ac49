"""A new release in a browser that has the worker of the one before: the app is started from another source tree."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.app_process import ROOT, project_settings, running
from tests.browser import new_context
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
LEFT_OUT = shutil.ignore_patterns(".*", "docs", "tests", "benchmarks", "sdk", "examples", "__pycache__", "node_modules")
NEW_SHELL = "This page of the second release comes back by itself when Livewatch can be reached."
KEPT = """async () => {
    const found = {};
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const { url } of await cache.keys())
            found[`${name} ${new URL(url).pathname}`] = await (await cache.match(url)).text();
    }
    return found;
}"""
WORKER = "async () => (await fetch('/pwa/worker.js', { cache: 'no-store' })).text()"
# The worker that answers has the digest of its shell.
SHELL = "() => SHELL"
WORKERS = "async () => (await navigator.serviceWorker.getRegistrations()).length"
ASSETS = "() => performance.getEntriesByType('resource').map((each) => new URL(each.name).pathname)"


@pytest.fixture
def second_release(tmp_path: Path) -> Path:
    """Return a source tree in which the shell, a style and the script that registers the worker differ."""
    root = tmp_path / "second"
    shutil.copytree(ROOT, root, ignore=LEFT_OUT)
    shell = root / "pages/installation/offline.html"
    old = "This page comes back by itself when Livewatch can be reached."
    text = shell.read_text(encoding="utf-8")
    assert old in text
    shell.write_text(text.replace(old, NEW_SHELL), encoding="utf-8")
    for path in (root / "pages/installation/register.js", *(root / "components").rglob("*.css")):
        path.write_text(path.read_text(encoding="utf-8") + "/* the second release */\n", encoding="utf-8")
    return root


@pytest.fixture
async def phone(browser: Browser) -> AsyncIterator[BrowserContext]:
    """Yield a browser whose pages may register their worker."""
    context = await new_context(browser, service_workers="allow")
    await context.grant_permissions(["notifications"])
    yield context
    await context.close()


async def enter_at(phone: BrowserContext, url: str, person: Person) -> None:
    form: dict[str, str | float | bool] = {"email": person.email, "password": person.password}
    await phone.request.post(f"{url}/session", form=form, max_redirects=0)


async def opened(phone: BrowserContext, url: str, person: Person) -> Page:
    await enter_at(phone, url, person)
    page = await phone.new_page()
    await page.goto(f"{url}/settings")
    await page.wait_for_selector('body[data-live="connected"]')
    await page.wait_for_function("() => navigator.serviceWorker.controller")
    return page


async def kept(page: Page) -> dict[str, str]:
    found: dict[str, str] = await page.evaluate(KEPT)
    return found


async def test_after_a_release_a_window_has_the_new_worker_and_nothing_of_the_old_and_one_click_removes_it(
    world: World, phone: BrowserContext, second_release: Path, tmp_path: Path
) -> None:
    ada = await world.person(await world.organization())
    environment = project_settings(world.status, tmp_path / "data")
    async with running(environment) as first:
        page = await opened(phone, first.url, ada)
        port = first.url.rsplit(":", 1)[1]
        old_worker, old_assets = await page.evaluate(WORKER), set(await page.evaluate(ASSETS))
        await until(lambda: kept(page), what="the shell of the first release is kept")
    await expect(page.locator("body")).not_to_have_attribute("data-live", "connected")
    async with running({**environment, "LIVEWATCH_PORT": port}, root=second_release):
        # The window comes back by itself, as in a deployment.
        await page.wait_for_selector('body[data-live="connected"]')
        assert await page.evaluate(WORKER) != old_worker

        async def has_new_shell() -> bool:
            return any(NEW_SHELL in each for each in (await kept(page)).values())

        await until(has_new_shell, what="the shell of the second release is kept")
        assert set(await kept(page)) <= {"livewatch-shell /pwa/offline", "livewatch-shell /pwa/reached"}
        [shell] = {await each.evaluate(SHELL) for each in phone.service_workers[-1:]}
        assert f'"{shell}"' in await page.evaluate(WORKER)
        new_assets = set(await page.evaluate(ASSETS))
        for name in ("/pwa/register-", ".css"):
            mine = {each for each in new_assets if name in each}
            assert mine
            assert not mine & {each for each in old_assets if name in each and "_nicegui" not in each}, name
        await phone.set_offline(True)
        await page.goto(page.url)
        await expect(page.get_by_text(NEW_SHELL)).to_be_visible()
        await phone.set_offline(False)
        await page.wait_for_selector('body[data-live="connected"]')
        await page.get_by_role("button", name="Remove offline page").click()
        await expect(page.get_by_test_id("this-device")).to_have_attribute("data-state", "removed")
        assert (await kept(page), await page.evaluate(WORKERS)) == ({}, 0)


async def test_a_shell_of_the_release_before_is_not_installed_and_the_next_page_tries_again(
    world: World, phone: BrowserContext, tmp_path: Path
) -> None:
    """As with several processes, of which one has not been replaced yet."""
    ada = await world.person(await world.organization())
    async with running(project_settings(world.status, tmp_path / "data")) as app:
        old = {"Livewatch-Shell": "of the release before", "content-type": "text/html"}
        await phone.route("**/pwa/offline", lambda route: route.fulfill(headers=old, body="the old shell"))
        await enter_at(phone, app.url, ada)
        page = await phone.new_page()
        async with phone.expect_event("request", lambda request: request.url.endswith("/pwa/offline")):
            await page.goto(f"{app.url}/settings")
        await page.wait_for_selector('body[data-live="connected"]')
        await until(lambda: page.evaluate(f"async () => !(await ({WORKERS})())"), what="the installation failed")
        assert await kept(page) == {}
        await phone.unroute("**/pwa/offline")
        await page.reload()
        await page.wait_for_function("() => navigator.serviceWorker.controller")
        assert any("Livewatch can be reached" in each for each in (await kept(page)).values())
