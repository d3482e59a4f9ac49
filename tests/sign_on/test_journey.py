"""A team comes into a new server by single sign-on alone: the first admin, an invited operator, and a stranger."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from local_supabase.tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider, person
from tests.app_process import running
from tests.browser import new_context
from tests.journey import closed, journey, live

pytestmark = pytest.mark.e2e


async def sign_in(page: Page) -> None:
    """Sign in from the app's sign-in page, on the page of the provider."""
    await page.get_by_role("link", name="Sign in with Works").click()
    await page.wait_for_url("**/authorize?*")
    await page.get_by_role("button", name="Allow").click()


async def test_three_people_come_in_by_single_sign_on(browser: Browser, oidc: OidcProvider, tmp_path: Path) -> None:
    oidc.has_form = True
    addresses: list[str] = []

    def address(name: str) -> str:
        addresses.append(f"{name}@works.example")
        return addresses[-1]

    async def enter(page: Page, name: str, email: str | None) -> None:
        oidc.person = person(email or addresses[-1], name=name)
        await page.get_by_role("link", name="Sign in and join").click()
        await sign_in(page)
        # The provider led here, so that joining takes a click.
        await page.get_by_role("button", name="Join").click()
        await live(page)

    environment = {
        "LIVEWATCH_DATA": str(tmp_path / "data"),
        "LIVEWATCH_HOST": "0.0.0.0",
        "LIVEWATCH_HOSTS": "localhost,127.0.0.1",
        "LIVEWATCH_DEMO_SCAN": "false",
        "LIVEWATCH_OIDC_ISSUER": oidc.url,
        "LIVEWATCH_OIDC_CLIENT_ID": CLIENT_ID,
        "LIVEWATCH_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "LIVEWATCH_OIDC_LABEL": "Sign in with Works",
        "LIVEWATCH_OIDC_DOMAINS": "works.example",
    }
    async with running(environment) as app:
        ada, grace = await journey(browser, app, enter=enter, address=address)
        await grace.goto(f"{grace.url.partition('/monitoring')[0]}/settings/members")
        await expect(grace.get_by_text("Ada Lovelace").first).to_be_visible()
        await expect(grace.get_by_role("button", name="Invite")).to_have_count(0)
        # Nobody invited the stranger, whose account sees nothing of the organisation.
        stranger = await (await new_context(browser)).new_page()
        oidc.person = person("mallory@works.example", name="Mallory")
        await stranger.goto(f"{grace.url.partition('/settings')[0]}/monitoring")
        await sign_in(stranger)
        await expect(stranger.get_by_role("heading", name="Welcome, Mallory")).to_be_visible()
        await expect(stranger.get_by_text("Analytical engines")).to_have_count(0)
        await closed(ada, grace, stranger)
