"""The notes of a stream in a window: what tests do and look at there."""

from uuid import UUID

from playwright.async_api import Browser, Locator, Page, expect

from tests.browser import new_context
from tests.e2e.conftest import sign_in
from tests.speed import milliseconds
from tests.world import Person

TEXT = """(host) => [...host.querySelectorAll(".cm-line")].map((line) => {
    const copy = line.cloneNode(true);
    copy.querySelectorAll(".lw-caret, .cm-placeholder").forEach((each) => each.remove());
    return copy.textContent;
}).join("\\n")"""


def notes(page: Page) -> Locator:
    return page.get_by_test_id("notes")


def editor(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Notes of this stream")


async def text(page: Page) -> str:
    found: str = await editor(page).evaluate(TEXT)
    return found


async def shows(page: Page, words: str) -> None:
    """Wait until an editor has exactly this text."""
    await page.wait_for_function(
        f"([host, words]) => ({TEXT})(host) === words",
        arg=[await editor(page).element_handle(), words],
        timeout=milliseconds(10),
    )


async def saved(page: Page) -> None:
    await expect(page.get_by_test_id("notes-state")).to_have_text("Saved")


async def type_at_end(page: Page, words: str) -> None:
    await editor(page).click()
    await page.keyboard.press("Control+End")
    await page.keyboard.type(words)


async def open_notes(browser: Browser, url: str, person: Person, id: UUID) -> Page:
    page = await (await new_context(browser, base_url=url, viewport={"width": 1440, "height": 900})).new_page()
    await sign_in(page, person, f"/streams/{id}")
    await expect(editor(page)).to_be_visible()
    return page
