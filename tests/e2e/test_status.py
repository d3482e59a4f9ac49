"""A status page: published on its settings page, and read by somebody without an account."""

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, expect

from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import VIEWPORT, SignedIn
from tests.services.status.test_reading import a_run
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_an_admin_publishes_a_job_and_a_stranger_reads_it(
    app: AppProcess, browser: Browser, world: World, window: SignedIn
) -> None:
    org = await world.organization("Secret name")
    admin = await world.person(org, role=Role.ADMIN)
    await a_run(world, org, "nightly", "failed")
    page = await window(admin, "/settings/status")
    pages = page.get_by_test_id("status-pages")
    await expect(pages).to_contain_text("nothing is public")
    await page.get_by_role("button", name="New status page").click()
    dialog = page.get_by_role("dialog", name="Status page")
    await dialog.get_by_label("Title", exact=True).fill("Our jobs")
    await dialog.get_by_role("combobox", name="Jobs").click()
    await page.get_by_role("option", name="internal nightly").click()
    await page.keyboard.press("Escape")
    await dialog.get_by_label("Public name of").fill("Import")
    await dialog.get_by_role("checkbox", name="Public", exact=True).click()
    await dialog.get_by_role("button", name="Save").click()
    await expect(pages).to_contain_text("Public. Shows Import.")
    await page.get_by_role("button", name="Actions of Our jobs").click()
    await page.get_by_text("Write a note").click()
    note = page.get_by_role("dialog", name="Note")
    await note.get_by_label("Title", exact=True).fill("A disk is full")
    await note.get_by_role("button", name="Publish").click()
    await expect(note).to_be_hidden()
    address = await pages.get_by_role("link", name="Open").get_attribute("href")
    assert address
    context = await new_context(browser, base_url=app.url, viewport=VIEWPORT)
    try:
        public = await context.new_page()
        await public.goto(f"{app.url}/status/{address.rpartition('/')[2]}")
        await expect(public.get_by_role("status")).to_have_text("1 of 1 has a problem")
        await expect(public.get_by_role("main")).to_contain_text("A disk is full")
        await expect(public.locator("body")).not_to_contain_text("internal")
        assert not (await Axe().run(public)).response["violations"]
    finally:
        await context.close()
