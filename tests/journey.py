"""The way of a team into a new server: the first account, an invitation, and two windows that show the same work."""

import re
from collections.abc import Awaitable, Callable
from uuid import uuid4

import httpx
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.app_process import AppProcess
from tests.browser import new_context
from tests.world import until

LINK = re.compile(r"http://[^/:]+(:\d+/invitation/\S+)")
PASSWORD = "nanoseconds per foot"


def setup_link(lines: list[str]) -> str | None:
    """Return the link that the console printed for the first account, by a name that this machine resolves."""
    found = (LINK.search(line) for line in lines)
    return next((f"http://localhost{each[1]}" for each in found if each), None)


Entering = Callable[[Page, str, str | None], Awaitable[None]]
"""How a person of a name enters from the page of an invitation, by an address unless the invitation names it."""


async def first_admin(browser: Browser, link: str, email: str, enter: Entering) -> Page:
    """Make the first account by the link of the console, and rename its organisation; returns the members page."""
    page = await (await new_context(browser)).new_page()
    await page.goto(link)
    await enter(page, "Ada Lovelace", email)
    origin = page.url.partition("/?")[0]
    await page.goto(f"{origin}/settings/members")
    name = page.get_by_label("Name of the organisation")
    await name.fill("Analytical engines")
    await name.press("Enter")
    await expect(page.locator(".lw-crumbs")).to_contain_text("Analytical engines")
    return page


async def invited(admin: Page, email: str) -> str:
    """Invite an address from the members page; returns the link."""
    await admin.get_by_role("button", name="Invite").click()
    dialog = admin.get_by_role("dialog", name="Invite")
    await dialog.get_by_label("E-mail addresses").fill(email)
    await dialog.get_by_role("button", name="Create links").click()
    link = await admin.get_by_role("dialog", name="Links").locator("pre").inner_text()
    await admin.get_by_role("button", name="Done").click()
    return link.strip()


async def colleague(browser: Browser, link: str, enter: Entering) -> Page:
    """Join by the link with a new account; returns the monitoring page."""
    page = await (await new_context(browser)).new_page()
    await page.goto(link)
    await enter(page, "Grace Hopper", None)
    await page.goto(f"{page.url.partition('/?')[0]}/monitoring")
    await live(page)
    return page


async def open_account(page: Page, name: str, email: str | None) -> None:
    """Enter by a new account with a password."""
    card = page.get_by_test_id("invitation")
    await card.get_by_label("Your name").fill(name)
    if email:
        await card.get_by_label("E-mail").fill(email)
    await card.get_by_label("Password").fill(PASSWORD)
    await card.get_by_role("button", name="Create account and join").click()
    await live(page)


async def live(page: Page) -> None:
    """Wait until a window shows live data."""
    await page.wait_for_selector('body[data-live="connected"]')


async def reported(admin: Page, origin: str, completed: int, *, token: str = "") -> str:
    """Report progress over the API, with a key that the admin makes on the page for that; returns the key."""
    if not token:
        await admin.goto(f"{origin}/connect")
        await admin.get_by_role("button", name="Create key").click()
        await expect(admin.get_by_text("The key is in the snippets below.")).to_be_visible()
        await admin.get_by_test_id("tab-curl").click()
        snippet = await admin.get_by_test_id("code-curl").inner_text()
        found = re.search(r"lw_\w{8,}_[\w-]+", snippet)
        assert found, "the page shows no key"
        token = found[0]
    async with httpx.AsyncClient(base_url=origin, headers={"Authorization": f"Bearer {token}"}) as http:
        body = {"name": "Difference engine", "total": 10, "completed": completed}
        (await http.put("/api/v1/streams/engine", json=body)).raise_for_status()
    return token


async def shows(page: Page, completed: int) -> None:
    """Wait until a window shows the reported progress."""
    value = page.locator('[data-table="streams"][data-field="completed"]').first
    await expect(value).to_have_attribute("data-value", str(completed))


async def journey(
    browser: Browser,
    app: AppProcess,
    done: Callable[[str], object] = lambda _: None,
    *,
    enter: Entering = open_account,
    address: Callable[[str], str] = lambda name: f"{name}-{uuid4().hex[:6]}@example.org",
) -> tuple[Page, Page]:
    """Go the whole way; `done` gets each step. Returns the windows of the admin and of the colleague."""
    await until(lambda: setup_link(app.lines), what="the console shows the link for the first account")
    link = setup_link(app.lines)
    assert link
    origin = link.partition("/invitation/")[0]
    ada = await first_admin(browser, link, address("ada"), enter)
    done("the first account and its organisation")
    invitation = await invited(ada, address("grace"))
    done("an invitation")
    grace = await colleague(browser, invitation, enter)
    done("the colleague's window is live")
    token = await reported(ada, origin, 1)
    await ada.goto(f"{origin}/monitoring")
    await live(ada)
    for completed in (3, 4):
        await reported(ada, origin, completed, token=token)
        await shows(ada, completed)
        await shows(grace, completed)
    done("both windows follow the same work")
    return ada, grace


async def closed(*pages: Page) -> None:
    """Close the contexts of windows."""
    contexts: list[BrowserContext] = [page.context for page in pages]
    for context in contexts:
        await context.close()
