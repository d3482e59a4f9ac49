"""Stats, chips, the shell and the sign-in card in a browser."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.components.conftest import Open

pytestmark = pytest.mark.e2e


async def test_a_stat_shows_its_value_and_then_the_next(open_page: Open) -> None:
    page = await open_page("/list/streams", moving=True)
    number = page.locator('[data-table="stats"][data-id="active"][data-field="value"]')
    await expect(page.locator(".lw-stat .lw-ghost__line")).to_have_count(1)
    await apply(page, ".lw-stats", {"set": {"active": {"value": 12, "hint": "of 48"}}})
    await expect(number).to_have_text("12")
    await apply(page, ".lw-stats", {"set": {"active": {"value": 40}}})
    await expect(number).to_have_attribute("data-value", "40")
    await expect(number).to_have_text("40")
    await expect(page.locator('[data-id="active"][data-field="hint"]')).to_have_text("of 48")


async def test_who_wants_no_motion_gets_the_new_number_at_once(open_page: Open) -> None:
    page = await open_page("/list/streams")
    await apply(page, ".lw-stats", {"set": {"active": {"value": 1}}})
    shown = await page.evaluate("""async () => {
        getElement(document.querySelector(".lw-stats")).apply({ set: { active: { value: 1000 } } });
        await Vue.nextTick();
        return document.querySelector('[data-id="active"][data-field="value"]').textContent;
    }""")
    assert shown == "1,000"


async def test_a_chip_tells_status_cause_and_the_next_try(open_page: Open) -> None:
    page = await open_page("/")
    of_feeds = page.locator('.lw-chips:has([data-id="Scans"]):has([data-id="System"])')
    await expect(of_feeds.locator('[data-id="System"]')).to_have_text("Error")  # rows are there: no chip moves any more
    scans = of_feeds.locator('[data-id="Scans"]')
    await expect(scans).to_have_text("Connecting")
    await expect(scans).to_have_attribute("data-value", "connecting")
    await scans.hover()
    tip = page.get_by_role("tooltip")
    await expect(tip).to_contain_text("The feed is being joined.")
    await expect(tip).to_contain_text("Attempt")
    await expect(tip).to_contain_text(re.compile(r"in \d+ s"))


async def test_the_sidebar_marks_where_one_is_and_leads_by_real_links(open_page: Open) -> None:
    page = await open_page("/")
    await expect(page.get_by_role("link", name="Dashboard", exact=True)).to_have_attribute("aria-current", "page")
    labels = await page.locator(".lw-place").evaluate_all("(links) => links.map((link) => link.title)")
    assert labels[:2] == ["Dashboard", "Live Monitoring"]
    monitoring = page.locator('.lw-place[href="/monitoring"]')
    await expect(monitoring).to_contain_text("Premium")
    await expect(page.locator('.lw-place [data-table="inbox"][data-id="alerts"]')).to_have_text("7")


async def test_the_sidebar_folds_and_stays_folded(open_page: Open) -> None:
    page = await open_page("/", moving=True)
    sidebar = page.locator(".lw-sidebar")
    await page.get_by_role("button", name="Collapse the sidebar").click()
    await expect(sidebar).to_have_css("width", "56px")
    await page.reload()
    await expect(sidebar).to_have_css("width", "56px")
    await expect(page.get_by_role("button", name="Collapse the sidebar")).to_have_attribute("aria-expanded", "false")


async def test_on_a_phone_the_sidebar_is_a_drawer_that_escape_closes(open_page: Open) -> None:
    page = await open_page("/", width=390, height=844, moving=True)
    dashboard = page.locator('.lw-place[href="/"]')
    await expect(dashboard).to_be_hidden()
    await page.get_by_role("button", name="Open the navigation").click()
    await expect(dashboard).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(dashboard).to_be_hidden()
    await expect(page.get_by_role("button", name="Open the navigation")).to_be_focused()


async def test_the_theme_turns_and_is_remembered(open_page: Open) -> None:
    page = await open_page("/")
    toggle = page.get_by_role("button", name="Theme: ")
    await toggle.click()
    await expect(page.locator("body.body--light")).to_have_count(1)
    await toggle.click()
    await expect(page.locator("body.body--dark")).to_have_count(1)
    await page.reload()
    await expect(page.locator("body.body--dark")).to_have_count(1)


async def test_the_account_menu_signs_out_by_a_form(open_page: Open) -> None:
    page = await open_page("/")
    await page.get_by_role("button", name="Account of Ada Lovelace").click()
    await expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    await expect(page.locator("form[action='/session/end'][method=post]")).to_have_count(1)


async def test_the_sign_in_card_posts_what_browsers_can_fill_in(open_page: Open) -> None:
    page = await open_page("/sign-in?error=No.", width=360)
    await expect(page.get_by_role("alert")).to_have_text("No.")
    sent: list[Any] = []

    async def take(route: Any) -> None:
        sent.append(route.request.post_data)
        await route.fulfill(body="ok")

    await page.route("**/session", take)
    await page.get_by_label("E-mail").fill("ada@example.org")
    await page.get_by_label("Password").fill("secret")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url("**/session")
    assert sent == ["next=%2F&email=ada%40example.org&password=secret"]


async def test_the_demo_is_one_click(open_page: Open) -> None:
    page = await open_page("/sign-in")
    await expect(page.get_by_test_id("enter-demo")).to_be_visible()
    await expect(page.get_by_text("only because the server listens on a loopback address")).to_be_visible()


async def apply(page: Page, selector: str, batch: dict[str, Any]) -> None:
    await page.wait_for_selector(selector)
    await page.evaluate("([at, batch]) => getElement(document.querySelector(at)).apply(batch)", [selector, batch])
