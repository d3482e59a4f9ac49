"""Saved views: named, shared, pinned with a live count, and shown by default."""

import re

import pytest
from playwright.async_api import Page, expect

from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e


async def save(page: Page, name: str, *choices: str) -> None:
    await page.get_by_test_id("views").click()
    await page.get_by_text("Save this view …").click()
    dialog = page.get_by_role("dialog", name="Save this view")
    await dialog.get_by_label("Name").fill(name)
    for choice in choices:
        await dialog.get_by_text(choice).click()
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_be_hidden()


async def test_a_pinned_view_counts_live_for_everybody_it_is_shared_with(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org, role=Role.VIEWER)
    await world.sql(
        "insert into streams (org_id, name, goal_status) select %s, 'Nightly ' || n, "
        "case when n %% 2 = 0 then 'blocked' else 'completed' end from generate_series(1, 10) as n", org,
    )  # fmt: skip
    page, other = await window(ada, "/monitoring?status=blocked&q=nightly"), await window(ben, "/")
    await save(page, "Blocked nights", "Everybody in the organisation", "Pin to the sidebar")
    for each in (page, other):
        await expect(each.locator('.lw-pinned [data-view="Blocked nights"]')).to_contain_text("5")
    await world.sql("update streams set goal_status = 'blocked' where org_id = %s and name = 'Nightly 1'", org)
    for each in (page, other):
        await expect(each.locator('.lw-pinned [data-view="Blocked nights"]')).to_contain_text("6")
    await other.locator('.lw-pinned [data-view="Blocked nights"]').click()
    await expect(other.get_by_test_id("summary")).to_have_text("6 of 10")
    await expect(other.get_by_test_id("search")).to_have_value("nightly")
    await other.get_by_test_id("views").click()
    await expect(other.get_by_text("Blocked nights").last).to_be_visible()
    await expect(other.get_by_role("button", name="Delete Blocked nights")).to_have_count(0)
    await page.get_by_test_id("views").click()
    await page.get_by_role("button", name="Delete Blocked nights").click()
    await page.get_by_test_id("confirm").get_by_role("button", name="Delete").click()
    for each in (page, other):
        await expect(each.locator(".lw-pinned")).to_have_count(0)


async def test_a_default_view_is_what_its_list_opens_with(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    await world.sql(
        "insert into streams (org_id, name, goal_status) values (%s, 'a', 'blocked'), (%s, 'b', 'completed')", org, org
    )
    page = await window(ada, "/monitoring?status=blocked")
    await save(page, "Trouble", "Show it when Streams are opened")
    await page.goto("/monitoring")
    await expect(page.get_by_test_id("summary")).to_have_text("1 of 2")
    await expect(page).to_have_url(re.compile("status=blocked"))
    await page.get_by_test_id("clear").click()
    await expect(page.get_by_test_id("summary")).to_have_text("2 streams")
    await page.goto("/monitoring?status=completed")
    await expect(page.get_by_test_id("summary")).to_have_text("1 of 2")
    await expect(page).to_have_url(re.compile("status=completed"))
    other = await window(ben, "/monitoring")
    await expect(other.get_by_test_id("summary")).to_have_text("2 streams")


async def test_a_view_is_renamed_and_takes_what_the_list_shows(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql("insert into streams (org_id, name) values (%s, 'a'), (%s, 'b')", org, org)
    page = await window(ada, "/monitoring?q=a")
    await save(page, "One")
    await page.get_by_test_id("search").fill("b")
    await expect(page.get_by_test_id("summary")).to_have_text("1 of 2")
    await page.get_by_test_id("views").click()
    await page.get_by_role("button", name="Change One").click()
    dialog = page.get_by_role("dialog", name="Change the view")
    await dialog.get_by_label("Name").fill("  ")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("A view needs a name")
    await dialog.get_by_label("Name").fill("Two")
    await dialog.get_by_text("Replace its search").click()
    await dialog.get_by_role("button", name="Save").click()
    await page.get_by_test_id("clear").click()
    await page.get_by_test_id("views").click()
    await page.get_by_role("menuitem", name="Two").click()
    await expect(page.get_by_test_id("search")).to_have_value("b")
