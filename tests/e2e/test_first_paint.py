"""What a browser shows before the page's scripts have run, and on a slow line."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Page, Route, expect

from services.entities import GoalStatus, Stream
from services.people.models import Role
from tests.app_process import AppProcess
from tests.browser import new_context
from tests.e2e.conftest import SignedIn, enter
from tests.speed import milliseconds
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
SLOW = {"offline": False, "latency": 100, "downloadThroughput": 50_000, "uploadThroughput": 50_000}
"""A line of 400 kbit/s and 100 ms."""
SHELL_SECONDS = 3.0
LATE = re.compile(r"\.m?js$|quasar|nicegui\.css")
"""What comes after the first paint: scripts, and the styles of Quasar and NiceGUI."""
HOSTILE = "</script><script>document.title='owned'</script><b>"
PLACES = (".lw-header", ".lw-head h1", ".lw-tabs", ".lw-stat >> nth=3", ".lw-filters", ".lw-card >> nth=7")


@asynccontextmanager
async def opened(app: AppProcess, browser: Browser, person: Person, **options: object) -> AsyncIterator[Page]:
    """Open a page of a new context, with an empty cache, that is signed in."""
    context = await new_context(browser, base_url=app.url, **{"viewport": {"width": 1440, "height": 900}, **options})
    await enter(context, person)
    yield await context.new_page()
    await context.close()


async def hold_back_scripts(page: Page) -> None:
    async def abort(route: Route) -> None:
        await route.abort()

    await page.route(LATE, abort)


async def at_work(world: World, window: SignedIn, *, rows: int = 12, name: str = "Stream") -> Person:
    """Return a person with rows that the app has at hand, because another window shows them."""
    org = await world.organization("An organisation")
    ada = await world.person(org, role=Role.ADMIN)
    statuses = [each for each in GoalStatus if each is not GoalStatus.COMPLETED]
    for n in range(rows):
        status = statuses[n % len(statuses)]
        stream = Stream(
            org_id=org, name=f"{name} {n}", goal_status=status, completed=n * 1234, total=99_999, unit="rows"
        )
        await world.insert(stream, by=ada)
    await window(ada, "/monitoring")
    return ada


async def open_with_rows(page: Page) -> None:
    """Open the page without its scripts, until it brings its rows; a busy machine may take longer than a page waits."""

    async def has_rows() -> bool:
        await page.goto("/monitoring")
        return await page.locator("#lw-first .lw-card").count() > 0

    await hold_back_scripts(page)
    await until(has_rows, within=20)


async def boxes(page: Page) -> dict[str, list[int]]:
    """Return the left and top edges and the heights; widths beside a status follow its word."""
    found = {}
    for place in PLACES:
        box = await page.locator(place).first.bounding_box()
        found[place] = [round(box["x"]), round(box["y"]), round(box["height"])] if box else []
    return found


async def test_on_a_slow_line_the_shell_shows_within_three_seconds(
    world: World, app: AppProcess, browser: Browser, window: SignedIn
) -> None:
    ada = await at_work(world, window)
    async with opened(app, browser, ada) as page:
        session = await page.context.new_cdp_session(page)
        await session.send("Network.enable")
        await session.send("Network.emulateNetworkConditions", SLOW)
        await page.goto("/monitoring", wait_until="commit")
        await page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        painted = await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        assert painted < milliseconds(SHELL_SECONDS)
        await expect(page.locator("#lw-first :is(.lw-card, .lw-ghost)").nth(5)).to_be_attached()
        assert not await page.evaluate("Boolean(window.Quasar)"), "the scripts were there already"


@pytest.mark.parametrize("width", [1440, 390])
async def test_nothing_moves_when_the_scripts_take_over(
    world: World, app: AppProcess, browser: Browser, window: SignedIn, width: int
) -> None:
    ada = await at_work(world, window)
    async with opened(app, browser, ada, viewport={"width": width, "height": 900}) as page:
        await open_with_rows(page)
        await page.evaluate("document.fonts.ready")
        first = await boxes(page)
        figures = await page.locator(".lw-card__figures").all_inner_texts()
        await page.unroute_all()
        await page.goto("/monitoring")
        await page.wait_for_selector('body[data-live="connected"]')
        assert await page.locator("#lw-first, #lw-first-frame").count() == 0
        assert await boxes(page) == first
        assert await page.locator(".lw-card__figures").all_inner_texts() == figures


@pytest.mark.parametrize("language", ["en-GB", "de-DE", "en-IN"])
async def test_the_first_paint_has_the_numbers_of_the_readers_language(
    world: World, app: AppProcess, browser: Browser, window: SignedIn, language: str
) -> None:
    ada = await at_work(world, window)
    async with opened(app, browser, ada, locale=language) as page:
        await open_with_rows(page)
        shown = await page.locator("#lw-first .lw-card", has_text="Stream 10").locator(".lw-card__figures").inner_text()
        total, share = await page.evaluate(
            "[(99999).toLocaleString(), new Intl.NumberFormat(undefined, {style: 'percent', minimumFractionDigits: 1})"
            ".format(0.123)]"
        )
        assert total in shown
        assert share in shown


async def test_languages_without_a_formatter_in_the_first_paint_write_numbers_alike(
    world: World, app: AppProcess, browser: Browser
) -> None:
    ada = await world.person(await world.organization())
    async with opened(app, browser, ada) as page:
        await hold_back_scripts(page)
        await page.goto("/monitoring")
        numbers = await page.evaluate(
            "PLAIN.map((language) => [-1234567.891, 0.5].map((each) => each.toLocaleString(language)).concat("
            "(0.123).toLocaleString(language, {style: 'percent', minimumFractionDigits: 1})).join(' '))"
        )
        assert set(numbers) == {"-1,234,567.891 0.5 12.3%"}
        assert len(numbers) > 1


async def test_modules_are_asked_for_after_the_first_frame_has_its_rows(
    world: World, app: AppProcess, browser: Browser, window: SignedIn
) -> None:
    ada = await at_work(world, window)
    async with opened(app, browser, ada) as page:
        await open_with_rows(page)
        await page.add_init_script(
            """new MutationObserver((records) => {
                for (const { addedNodes } of records) for (const each of addedNodes)
                    if (each.rel === "modulepreload") (window.asked ??= []).push([
                        document.querySelectorAll("#lw-first .lw-card").length, performance.now()]);
            }).observe(document, { childList: true, subtree: true });
            requestAnimationFrame(() => (window.framed = performance.now()));"""
        )
        await page.goto("/monitoring")
        await page.wait_for_function("window.asked?.length > 10")
        asked, framed = await page.evaluate("[window.asked, window.framed]")
        assert {cards for cards, _ in asked} == {12}
        assert min(at for _, at in asked) > framed


async def test_the_rows_are_there_before_the_socket_is(
    world: World, app: AppProcess, browser: Browser, window: SignedIn
) -> None:
    ada = await at_work(world, window)
    async with opened(app, browser, ada) as page:
        await page.route("**/_nicegui_ws/**", lambda route: route.abort())
        await page.route_web_socket(re.compile("_nicegui_ws"), lambda _: None)

        async def shows_rows() -> bool:
            await page.goto("/monitoring")
            await expect(page.locator("#lw-first")).to_have_count(0)
            return await page.locator('[data-field="completed"]').count() == 12

        await until(shows_rows, within=20)
        assert await page.evaluate("document.body.dataset.live") is None


@pytest.mark.parametrize(("system", "chosen"), [("dark", None), ("light", None), ("light", "dark")])
async def test_the_first_paint_has_the_readers_theme(
    world: World, app: AppProcess, browser: Browser, system: str, chosen: str | None
) -> None:
    ada = await world.person(await world.organization())
    async with opened(app, browser, ada, color_scheme=system) as page:
        if chosen:
            await page.goto("/settings")
            await page.get_by_role("button", name="Dark", exact=True).click()
            await expect(page.locator("html")).to_have_attribute("data-lw-theme", chosen)
            await page.wait_for_load_state("networkidle")
        await hold_back_scripts(page)
        await page.goto("/monitoring")
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert colour == ("rgb(12, 13, 15)" if "dark" in (system, chosen) else "rgb(250, 250, 250)")
        assert await page.locator("#lw-first[aria-busy=true] .lw-shell").count() == 1


async def test_names_are_never_markup_in_the_first_paint(
    world: World, app: AppProcess, browser: Browser, window: SignedIn
) -> None:
    ada = await at_work(world, window, rows=2, name=HOSTILE)
    async with opened(app, browser, ada) as page:
        await page.goto("/monitoring")
        await page.wait_for_selector('body[data-live="connected"]')
        assert "owned" not in await page.title()
        await expect(page.locator(".lw-card__name").first).to_contain_text("</script>")


async def test_every_icon_is_one_sign_and_not_its_name(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    for status in GoalStatus:
        await world.insert(Stream(org_id=org, name=status, goal_status=status, total=9), by=ada)
    page = await window(ada, "/")
    for path in (
        "/",
        "/monitoring",
        "/monitoring/scans",
        "/monitoring/system",
        "/alerts",
        "/notifications",
        "/connect",
    ):
        await page.goto(path)
        await page.wait_for_selector('body[data-live="connected"]')
        await page.evaluate("document.fonts.load('16px \"Material Icons Outlined\"', 'check')")
        spelled = await page.evaluate(
            "[...document.querySelectorAll('.lw-icon:not(.lw-icon--activity)')].filter((each) => "
            "each.checkVisibility() && each.scrollWidth > 1.5 * parseFloat(getComputedStyle(each).fontSize))"
            ".map((each) => each.textContent)"
        )
        assert spelled == [], path


async def test_a_page_that_another_site_asked_for_brings_no_rows(
    world: World, app: AppProcess, browser: Browser, window: SignedIn
) -> None:
    ada = await at_work(world, window, name="Secret")
    async with opened(app, browser, ada) as page:
        await open_with_rows(page)
        await expect(page.locator("#lw-first")).to_contain_text("Secret")
        for site in ("same-site", "cross-site"):
            answer = await page.context.request.get("/monitoring", headers={"Sec-Fetch-Site": site})
            text = await answer.text()
            assert "lw-first" in text
            assert "Secret" not in text, site
