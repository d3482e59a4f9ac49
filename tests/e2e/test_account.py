"""The account page: password, address and sessions, in two browsers of one person."""

import pytest
from playwright.async_api import Browser, Page, expect

from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT, SignedIn, enter, sign_in
from tests.world import Person, World

pytestmark = pytest.mark.e2e
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


async def elsewhere(browser: Browser, app: AppProcess, person: Person, path: str = "/settings/account") -> Page:
    """Open a window of the person in another browser."""
    context = await new_context(browser, base_url=app.url, viewport=VIEWPORT, user_agent=PHONE)
    await enter(context, person)
    page = await context.new_page()
    await page.goto(path)
    await page.wait_for_selector('body[data-live="connected"]')
    return page


async def test_a_session_of_another_browser_is_seen_and_ended(
    world: World, window: SignedIn, app: AppProcess, browser: Browser
) -> None:
    ada = await world.person(await world.organization())
    phone = await elsewhere(browser, app, ada, "/monitoring")
    page = await window(ada, "/settings/account")
    await expect(page.locator(".lw-person", has_text="This session")).to_contain_text("Linux")
    other = page.locator(".lw-person", has_text="iOS")
    await expect(other).to_contain_text("127.0.0.1")
    await other.get_by_role("button", name="Sign out of").click()
    await expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(phone.get_by_text("Your session has ended. Sign in again.")).to_be_visible()
    await expect(other).to_have_count(0)
    await page.get_by_role("button", name="Everywhere", exact=True).click()
    await page.get_by_test_id("confirm").get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    await phone.context.close()


async def test_the_password_changes_after_the_present_one_was_given(
    world: World, window: SignedIn, app: AppProcess, browser: Browser
) -> None:
    ada = await world.person(await world.organization())
    phone = await elsewhere(browser, app, ada)
    page = await window(ada, "/settings/account")
    await page.get_by_role("button", name="Change the password").click()
    dialog = page.get_by_role("dialog", name="Change password")
    # Icons that Quasar chooses come from a font that is loaded where one is shown.
    await expect(dialog.locator("i.q-icon").first).to_have_css("font-family", '"Material Icons"')
    await page.wait_for_function("() => [...document.fonts].every((font) => font.status === 'loaded')")
    await dialog.get_by_label("New password").fill("short")
    await dialog.get_by_role("button", name="Change password").click()
    await expect(dialog.get_by_text("This is not your present password.")).to_be_visible()
    await dialog.get_by_label("Present password").fill(ada.password)
    await dialog.get_by_role("button", name="Change password").click()
    await expect(dialog.get_by_text("at least")).to_be_visible()
    await dialog.get_by_label("New password").fill("nanoseconds per foot")
    await dialog.get_by_role("button", name="Change password").click()
    await expect(page.get_by_text("Password changed. Your other sessions have ended.")).to_be_visible()
    await expect(phone.get_by_role("heading", name="Sign in")).to_be_visible()
    await phone.get_by_label("E-mail").fill(ada.email)
    await phone.get_by_label("Password").fill("nanoseconds per foot")
    await phone.get_by_role("button", name="Sign in").click()
    await phone.wait_for_url("**/settings/account*")
    await phone.context.close()


async def test_the_address_changes_and_is_the_one_to_sign_in_with(
    world: World, window: SignedIn, app: AppProcess, browser: Browser
) -> None:
    ada, bob = await world.person(await world.organization()), await world.person()
    page = await window(ada, "/settings/account")
    await expect(page.get_by_test_id("email")).to_have_text(ada.email)
    await page.get_by_role("button", name="Change the e-mail address").click()
    dialog = page.get_by_role("dialog", name="Change e-mail address")
    for address, refusal in (("nobody", "Enter one e-mail address."), (bob.email, "already")):
        await dialog.get_by_label("New address").fill(address)
        await dialog.get_by_label("Present password").fill(ada.password)
        await dialog.get_by_role("button", name="Change address").click()
        await expect(dialog.get_by_text(refusal)).to_be_visible()
    await dialog.get_by_label("New address").fill(f"new-{ada.email}")
    await dialog.get_by_role("button", name="Change address").click()
    await expect(page.get_by_test_id("email")).to_have_text(f"new-{ada.email}")
    context = await new_context(browser, base_url=app.url, viewport=VIEWPORT)
    other = await context.new_page()
    await sign_in(other, Person(email=f"new-{ada.email}", password=ada.password, tokens=ada.tokens))
    await context.close()
