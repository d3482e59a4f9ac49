"""Fixtures: browser windows on a running app, against the shared world."""

from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest
from playwright.async_api import Browser, BrowserContext, Locator, Page, ViewportSize

from tests.app_process import AppProcess, project_settings, running
from tests.browser import leave, new_context
from tests.world import Person, World

SignedIn = Callable[..., Awaitable[Page]]
VIEWPORT: ViewportSize = {"width": 1440, "height": 900}


@pytest.fixture(scope="session")
async def app(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AppProcess]:
    """Yield one app per session, which uses the world's Supabase like a project."""
    environment = project_settings(world.status, tmp_path_factory.mktemp("app"))
    async with running(environment) as process:
        yield process


@pytest.fixture(scope="session")
async def contexts(app: AppProcess, browser: Browser) -> AsyncIterator[list[BrowserContext]]:
    """Yield the idle browser contexts with their pages, which tests reuse to avoid reloading the app's scripts."""
    contexts: list[BrowserContext] = []
    yield contexts
    for context in contexts:
        await context.close()


@pytest.fixture
async def window(app: AppProcess, browser: Browser, contexts: list[BrowserContext]) -> AsyncIterator[SignedIn]:
    """Yield a function that opens a page: `await window(person, "/monitoring")`; windows of a user share cookies."""
    taken: dict[UUID, BrowserContext] = {}
    spare: dict[UUID, list[Page]] = {}

    async def open_window(person: Person, path: str = "/monitoring") -> Page:
        context = taken.get(person.id)
        if context is None:
            context = contexts.pop() if contexts else await new_context(browser, base_url=app.url, viewport=VIEWPORT)
            taken[person.id] = context
            spare[person.id] = list(context.pages)
            await enter(context, person)
        page = spare[person.id].pop() if spare[person.id] else await context.new_page()
        await page.bring_to_front()
        await page.set_viewport_size(VIEWPORT)
        await page.goto(path)
        await page.wait_for_selector('body[data-live="connected"]')
        return page

    yield open_window
    for context in taken.values():
        await leave(context)
        contexts.append(context)


async def enter(context: BrowserContext, person: Person) -> None:
    """Sign in with the form's request only."""
    answer = await context.request.post(
        "/session", form={"email": person.email, "password": person.password}, max_redirects=0
    )
    assert answer.headers["location"] == "/", answer.headers


async def sign_in(page: Page, person: Person, path: str = "/") -> None:
    """Sign in through the form, on the page that requested it."""
    await page.goto(path)
    await page.get_by_label("E-mail").fill(person.email)
    await page.get_by_label("Password").fill(person.password)
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)


def live(page: Page, table: str, id: object, field: str) -> Locator:
    """Return the element that shows one value."""
    return page.locator(f'[data-table="{table}"][data-id="{id}"][data-field="{field}"]')
