"""Single sign-on in a browser: the button, the provider's page, the way back, and the look of the sign-in card."""

import re
import secrets
import socket
from collections.abc import AsyncIterator
from tempfile import TemporaryDirectory

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from local_supabase.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET
from tests.app_process import running
from tests.browser import FLAGS, find, new_context
from tests.sign_on.conftest import MAPPING, Site

pytestmark = pytest.mark.e2e
HOST = "watch.works.example"
MAX_SOCKET_LINE = 8192
"""Limit of the library of the sockets, unless the app raises it."""
CONNECTED = 'body[data-live="connected"]'


@pytest.fixture
async def page(site: Site, browser: Browser) -> AsyncIterator[Page]:
    context = await new_context(browser, base_url=site.app.url, viewport={"width": 1440, "height": 900})
    yield await context.new_page()
    await context.close()


async def choose(page: Page, choice: str) -> None:
    """Open a page of the app, press the button, and choose at the provider."""
    await page.goto("/monitoring")
    await page.get_by_role("link", name="Sign in with Works").click()
    await page.wait_for_url("**/authorize?*")
    await page.get_by_role("button", name=choice).click()


async def test_a_person_signs_in_on_the_page_of_the_provider(site: Site, page: Page) -> None:
    site.provider.has_form = True
    site.provider.person["name"] = "علي الأحمد \u202e"
    await choose(page, "Allow")
    await page.wait_for_url("**/monitoring")
    await page.wait_for_selector(CONNECTED)
    await expect(page.locator("body")).to_contain_text("Works")
    await page.goto("/settings")
    await expect(page.get_by_label("Display name")).to_have_value(re.compile("علي الأحمد"))
    await page.reload()
    await page.wait_for_selector(CONNECTED)


async def test_who_denies_is_told_and_may_try_again(site: Site, page: Page) -> None:
    site.provider.has_form = True
    await choose(page, "Deny")
    await expect(page.get_by_role("alert")).to_contain_text("Single sign-on was cancelled")
    await expect(page.get_by_text("Details: The person said no")).to_be_visible()
    assert "#" not in page.url.rstrip("#")
    assert "error" not in page.url
    await page.get_by_role("link", name="Sign in with Works").click()
    await page.get_by_role("button", name="Allow").click()
    await page.wait_for_url("**/monitoring")


async def test_the_back_button_leads_to_no_dead_end(site: Site, page: Page) -> None:
    await page.goto("/sign-in?next=/monitoring")
    await page.get_by_role("link", name="Sign in with Works").click()
    await page.wait_for_url("**/monitoring")
    await page.wait_for_selector(CONNECTED)
    await page.go_back()
    await page.wait_for_selector(CONNECTED)
    assert "/session/sso" not in page.url


async def test_two_tabs_sign_in_at_the_same_time(site: Site, page: Page) -> None:
    site.provider.has_form = True
    other = await page.context.new_page()
    for each in (page, other):
        await each.goto("/sign-in?next=/monitoring")
        await each.get_by_role("link", name="Sign in with Works").click()
        await each.wait_for_url("**/authorize?*")
    for each in (page, other):
        await each.get_by_role("button", name="Allow").click()
        await each.wait_for_url("**/monitoring")
        await each.wait_for_selector(CONNECTED)


@pytest.mark.parametrize("count", [200, 450])
async def test_a_person_of_hundreds_of_groups_signs_in_and_stays(site: Site, page: Page, count: int) -> None:
    """The cookies of 450 are longer than what the library of the sockets takes by itself."""
    site.provider.person["groups"] = ["/engineers", *(secrets.token_hex(18) for _ in range(count))]
    await page.goto("/monitoring")
    await page.get_by_role("link", name="Sign in with Works").click()
    await page.wait_for_url("**/monitoring")
    await page.wait_for_selector(CONNECTED)
    cookies = {each["name"]: each["value"] for each in await page.context.cookies()}
    assert {"livewatch_session.0", "livewatch_session.1"} <= cookies.keys()
    assert (sum(map(len, cookies.values())) > MAX_SOCKET_LINE) == (count > 200)
    async with page.expect_websocket() as opening:
        await page.reload()
        await page.wait_for_selector(CONNECTED)
    opened = await opening.value
    assert not opened.is_closed()
    assert await page.evaluate("fetch('/session/renew', {method: 'POST'}).then((answer) => answer.status)") == 204
    await page.goto("/settings")
    await page.wait_for_selector(CONNECTED)


async def test_groups_without_end_are_refused_with_a_sentence(site: Site, page: Page) -> None:
    site.provider.person["groups"] = [secrets.token_hex(18) for _ in range(1500)]
    await page.goto("/monitoring")
    await page.get_by_role("link", name="Sign in with Works").click()
    await expect(page.get_by_role("alert")).to_contain_text("too many groups")
    assert not [each for each in await page.context.cookies() if each.get("name", "").startswith("livewatch_session")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_the_sign_in_card_looks_right(own: Site, browser: Browser, width: int, scheme: str) -> None:
    context = await new_context(
        browser, base_url=own.app.url, viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page = await context.new_page()
    for path in ("/sign-in", "/sign-in?reason=sso-domain"):
        await page.goto(path)
        button = page.get_by_role("link", name="Sign in with Works")
        await expect(button).to_be_visible()
        box, form = await button.bounding_box(), await page.get_by_role("button", name="Sign in").bounding_box()
        assert box
        assert form
        assert (round(box["x"]), round(box["width"])) == (round(form["x"]), round(form["width"]))
        assert round(box["height"]) == round(form["height"])
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        findings = await Axe().run(page)
        assert not [each for each in findings.response["violations"] if each["impact"] in ("serious", "critical")]
    await context.close()


async def test_another_machine_signs_in_under_the_public_name(own: Site) -> None:
    """Auth listens on a loopback address; the browser knows the app's name alone, and begins under another one."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory(prefix="livewatch-", ignore_cleanup_errors=True) as folder:
        environment = {
            "LIVEWATCH_DATA": f"{folder}/data",
            "LIVEWATCH_PORT": str(port),
            "LIVEWATCH_HOSTS": f"{HOST}, also.{HOST}",
            "LIVEWATCH_PUBLIC_URL": f"http://{HOST}:{port}",
            "LIVEWATCH_OIDC_ISSUER": own.provider.url,
            "LIVEWATCH_OIDC_CLIENT_ID": CLIENT_ID,
            "LIVEWATCH_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            **MAPPING,
        }
        async with running(environment) as app, async_playwright() as playwright:
            assert any(f"http://{HOST}:{port}/auth/v1/callback" in line for line in app.lines)
            rules = f"--host-resolver-rules=MAP *{HOST} 127.0.0.1"
            browser = await playwright.chromium.launch(executable_path=find(), args=[*FLAGS, rules])
            context = await new_context(browser)
            page = await context.new_page()
            await page.goto(f"http://also.{HOST}:{port}/monitoring")
            await page.get_by_role("link", name="Sign in with Works").click()
            await page.wait_for_url(f"http://{HOST}:{port}/**")
            await expect(page.locator("body")).not_to_contain_text("Sign in with Works")
            assert own.provider.requests[-1]["redirect_uri"] == f"http://{HOST}:{port}/auth/v1/callback"
            await browser.close()
