"""The log of a run and the search in all logs, in a browser: following, pausing, searching, links, and much at once."""

import re
from urllib.parse import quote
from uuid import UUID, uuid4

import pytest
from playwright.async_api import Locator, Page, expect

from services.entities import AgentExecution, AgentStatus, Stream
from services.history.log_filter import LogFilter
from services.history.run_logs import log_lines
from tests.e2e.conftest import SignedIn
from tests.speed import deadline
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
BEAT = "update streams set heartbeat_at = now(), heartbeat_interval = 60 where id = %s"
WATCH = """() => {
    window.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
        .observe({ entryTypes: ["longtask"] });
}"""


async def a_stream(world: World, name: str = "Import") -> tuple[UUID, Person, UUID]:
    org = await world.organization()
    ada = await world.person(org)
    stream = Stream(org_id=org, name=name)
    await world.insert(stream, by=ada)
    return org, ada, stream.id


async def add(world: World, org: UUID, run: UUID, *messages: str, level: str = "info") -> None:
    await world.sql(
        "insert into log_lines (org_id, run_id, level, message) select %s, %s, %s, unnest(cast(%s as text[]))",
        org, run, level, list(messages),
    )  # fmt: skip
    await world.sql(BEAT, run)


async def fill(world: World, org: UUID, run: UUID, first: int, last: int) -> None:
    await world.sql(
        "insert into log_lines (org_id, run_id, at, message)"
        " select %s, %s, now() - interval '1 d' + n * interval '1 s', 'Line ' || n || ' of the import'"
        " from generate_series(%s::integer, %s::integer) as n",
        org, run, first, last,
    )  # fmt: skip
    await world.sql(BEAT, run)


def line(page: Page, text: str) -> Locator:
    return page.locator(".lw-log__lines .lw-log__line").filter(has_text=re.compile(rf"{re.escape(text)}(?!\d)"))


async def open_log(page: Page) -> None:
    """Scroll the page to the log."""
    await page.locator(".lw-log__frame").evaluate("(frame) => frame.scrollIntoView({ block: 'center' })")


async def scroll(page: Page, by: int) -> None:
    await page.locator(".lw-log__lines").hover()
    await page.mouse.wheel(0, by)


async def test_a_log_follows_its_end_pauses_while_it_is_read_and_loads_what_is_scrolled_to(
    world: World, window: SignedIn
) -> None:
    org, ada, run = await a_stream(world)
    await fill(world, org, run, 1, 3000)
    page = await window(ada, f"/streams/{run}")
    await expect(line(page, "Line 3000")).to_be_attached()
    await open_log(page)
    await expect(line(page, "Line 3000")).to_be_in_viewport()
    assert await page.locator(".lw-log__line").count() < 100
    await add(world, org, run, "One more")
    await expect(line(page, "One more")).to_be_in_viewport()
    await scroll(page, -400)
    follow, new = page.get_by_test_id("log-follow"), page.get_by_test_id("log-new")
    await expect(follow).to_have_text("Follow")
    kept = await page.locator(".lw-log__lines").evaluate("(box) => box.scrollTop")
    await add(world, org, run, *[f"Later {n}" for n in range(1200)])
    await expect(new).to_have_text("1,200 new lines")
    assert await page.locator(".lw-log__lines").evaluate("(box) => box.scrollTop") == kept
    await new.click()
    await expect(line(page, "Later 1199")).to_be_in_viewport()
    await expect(follow).to_have_text("Pause")
    await follow.click()
    await add(world, org, run, "While paused")
    await expect(new).to_have_text("1 new line")
    await expect(line(page, "While paused")).not_to_be_in_viewport()
    await follow.click()
    await expect(line(page, "While paused")).to_be_in_viewport()
    await world.sql("delete from log_lines where run_id = %s and message like 'While%%'", run)
    await add(world, org, run, "After a gap")
    await expect(line(page, "After a gap")).to_have_attribute("data-gap", "")
    await until(lambda: _scrolled_to_first(page), what="the first line is shown")
    await page.get_by_role("button", name="Wrap").click()
    await expect(line(page, "Line 1")).to_be_in_viewport()
    await page.get_by_role("button", name="Wrap").click()


async def _scrolled_to_first(page: Page) -> bool:
    await page.locator(".lw-log__lines").evaluate("(box) => (box.scrollTop = 0)")
    return await line(page, "Line 1").count() > 0


async def test_a_log_is_searched_filtered_and_downloaded(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world)
    await add(world, org, run, "\x1b[31mdisk\x1b[0m is full", level="error")
    await fill(world, org, run, 1, 2500)
    page = await window(ada, f"/streams/{run}")
    log = page.get_by_role("region", name="Log", exact=True)
    await expect(line(page, "Line 2500")).to_be_attached()
    await open_log(page)
    search, matches = log.get_by_role("searchbox"), page.get_by_test_id("log-matches")
    await search.fill('"line 24"')
    await expect(matches).to_have_text("111 of 111")
    await expect(line(page, "Line 2499").locator("mark")).to_have_text("Line 24")
    await search.press("Enter")
    await expect(matches).to_have_text("110 of 111")
    await search.fill("DISK full")
    await expect(matches).to_have_text("1 of 1")
    await expect(line(page, "disk is full")).to_be_in_viewport()
    await expect(line(page, "disk is full").locator("mark").first).to_have_text("disk")
    await expect(page.get_by_test_id("log-new")).to_have_text("Latest lines")
    await log.get_by_role("button", name="Regular expression").click()
    await search.fill("(")
    await expect(log.get_by_role("alert")).to_have_text(
        "The regular expression is not valid: parentheses () not balanced."
    )
    await search.fill(r"^line \d*99 of")
    await expect(matches).to_have_text("25 of 25")
    await expect(log.get_by_role("alert")).to_have_count(0)
    await log.get_by_role("button", name="Only matches").click()
    await expect(page.locator(".lw-log__lines .lw-log__line")).to_have_count(25)
    await expect(line(page, "Line 99").locator("mark")).to_have_text("Line 99 of")
    async with page.expect_download() as download:
        await log.get_by_role("link", name="Download filtered").click()
    assert len((await (await download.value).path()).read_text().splitlines()) == 25


async def test_a_log_has_levels_leads_to_times_and_is_copied(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world)
    await add(world, org, run, "disk is full", level="error")
    await fill(world, org, run, 1, 1500)
    page = await window(ada, f"/streams/{run}")
    log = page.get_by_role("region", name="Log", exact=True)
    await expect(line(page, "Line 1500")).to_be_attached()
    await open_log(page)
    await log.get_by_label("Level").select_option("warning")
    await expect(page.locator(".lw-log__lines .lw-log__line")).to_have_count(1)
    await add(world, org, run, "Not shown")
    await add(world, org, run, "A new failure", level="critical")
    await expect(page.locator(".lw-log__lines .lw-log__line")).to_have_count(2)
    await log.get_by_label("Level").select_option("debug")
    await expect(line(page, "Not shown")).to_be_visible()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await log.get_by_role("button", name="Copy these lines").click()
    assert (await page.evaluate("navigator.clipboard.readText()")).endswith("Not shown\nA new failure")
    shown = await page.evaluate(
        "(ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 19)",
        (await log_lines(world.database, ada.identity, run, LogFilter(query="line 700 ")))[0].at.timestamp() * 1000 + 1,
    )
    await log.get_by_label("Jump to time").fill(shown)
    await expect(line(page, "Line 701")).to_be_in_viewport()
    await log.get_by_label("Jump to time").fill("2999-01-01T00:00:00")
    await expect(line(page, "A new failure")).to_be_in_viewport()


async def test_a_link_opens_its_line_also_in_a_fold_and_says_if_it_is_gone(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world)
    await fill(world, org, run, 1, 900)
    await add(world, org, run, *[f"fetch: {n} %" for n in range(101)], "10 %\r\x1b[K50 %\rdone")
    await fill(world, org, run, 901, 1800)
    wanted = {each.message: each.id for each in await log_lines(world.database, ada.identity, run)}
    page = await window(ada, f"/streams/{run}?line={wanted['fetch: 42 %']}")
    await expect(line(page, "fetch: 42 %")).to_be_in_viewport()
    await expect(line(page, "fetch: 42 %")).to_have_attribute("aria-current", "true")
    await scroll(page, 1300)
    await expect(line(page, "done")).to_have_text(re.compile("^[0-9:]{8}done$"))
    await page.get_by_test_id("log-follow").click()
    await line(page, "Line 1799").get_by_role("link").click()
    await expect(page).to_have_url(re.compile(rf"line={wanted['Line 1799 of the import']}$"))
    await expect(line(page, "Line 1799").get_by_role("button", name="Copy link")).to_be_visible()
    await page.goto(f"/streams/{run}?line={wanted['Line 5 of the import']}")
    await expect(line(page, "Line 5")).to_be_in_viewport()
    await page.get_by_test_id("log-new").click()
    await expect(line(page, "Line 1800")).to_be_in_viewport()
    await page.goto(f"/streams/{run}?line=1")
    await expect(page.get_by_role("region", name="Log")).to_contain_text("That line is not in this log.")
    await expect(line(page, "Line 1800")).to_be_visible()
    await page.goto(f"/streams/{run}?line={wanted['Line 901 of the import']}")
    fold = page.locator(".lw-log__fold")
    await expect(fold).to_have_text("101 updates")
    await expect(line(page, "fetch: 100 %")).to_be_visible()
    await fold.click()
    await expect(line(page, "fetch: 1 %")).to_be_visible()


async def test_ten_thousand_lines_a_second_do_not_block_the_page(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world)
    await add(world, org, run, "The first")
    page = await window(ada, f"/streams/{run}")
    await expect(line(page, "The first")).to_be_visible()
    await open_log(page)
    await page.evaluate(WATCH)
    for tenth in range(20):
        await world.sql(
            "insert into log_lines (org_id, run_id, message) select %s, %s,"
            " E'\\x1b[32mGET\\x1b[0m /items/' || n || ' took ' || n %% 500 || ' ms, ' || md5(n::text)"
            " from generate_series(%s::integer, %s::integer) as n",
            org, run, tenth * 1000, tenth * 1000 + 999,
        )  # fmt: skip
        await world.sql(BEAT, run)
        assert await page.locator(".lw-log__lines *").count() < 1000
    await expect(page.locator(".lw-log__line").filter(has_text="/items/19999 ")).to_be_in_viewport()
    assert max(await page.evaluate("longTasks"), default=0) < deadline(0.1) * 1000


async def test_all_logs_are_searched_by_the_url_and_lead_to_their_lines(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world, "Import of <b>orders</b>")
    agent = AgentExecution(org_id=org, stream_id=run, agent_id="a", agent_name="Reader", status=AgentStatus.RUNNING)
    await world.insert(agent, by=ada)
    await fill(world, org, run, 1, 130)
    attack = "<img src=x onerror=\"document.title='owned'\"> needle"
    await add(world, org, agent.id, attack, level="error")
    page = await window(ada, "/logs?q=line")
    found, count = page.locator(".lw-found-line"), page.get_by_test_id("log-count")
    await expect(count).to_have_text("100+ lines")
    await page.get_by_role("button", name="Earlier lines").click()
    await expect(count).to_have_text("130 lines")
    await expect(found.last).to_contain_text("Import of <b>orders</b>Line 1 of the import")
    await page.get_by_role("searchbox").fill("NEEDLE")
    await expect(found).to_have_count(1)
    await expect(found.locator("mark")).to_have_text("needle")
    await expect(page).to_have_url(re.compile(r"/logs\?q=NEEDLE$"))
    await page.get_by_label("Level").select_option("critical")
    await expect(page.get_by_text("No line matches.")).to_be_visible()
    await expect(page).to_have_url(re.compile(r"level=critical"))
    await page.go_back()
    await expect(found).to_have_count(1)
    await found.get_by_role("link").click()
    await expect(page).to_have_url(re.compile(rf"/monitoring/agents\?selected={agent.id}&line=\d+$"))
    await expect(line(page, "needle")).to_have_attribute("aria-current", "true")
    assert await page.title() != "owned"
    for query, answer in (
        (f"q={quote('(a')}&regex=1", "The regular expression is not valid"),
        ("from=2026-11-26T10:00:00%2B99:99", "is not a time. Write it like"),
        ("q=" + "x" * 600, "The search has 600 characters. Search for at most 500."),
    ):
        await page.goto(f"/logs?{query}")
        await expect(page.locator(".lw-log__problem")).to_contain_text(answer)
    await page.goto("/logs?from=2999-01-01T00:00:00Z")
    await expect(page.get_by_text("No line matches.")).to_be_visible()


async def test_the_logs_of_a_job_are_searched_by_themselves(world: World, window: SignedIn) -> None:
    org, ada, run = await a_stream(world, "Nightly")
    other = Stream(org_id=org, name="Other")
    await world.insert(other, by=ada)
    job = uuid4()
    await world.sql(
        "insert into jobs (id, org_id, kind, slug, name) values (%s, %s, 'streams', 'nightly', 'N')", job, org
    )
    await world.sql("update streams set job_id = %s, number = 1 where id = %s", job, run)
    await fill(world, org, run, 1, 20)
    await fill(world, org, other.id, 21, 30)
    page = await window(ada, "/jobs/streams/nightly")
    await page.locator("#content").get_by_role("link", name="Logs", exact=True).click()
    count = page.get_by_test_id("log-count")
    await expect(count).to_have_text("20 lines")
    await page.get_by_role("searchbox").fill("line 2")
    await expect(page).to_have_url(re.compile(r"/logs\?q=line\+2&job=streams%2Fnightly$"))
    await expect(count).to_have_text("3 lines")
    await page.get_by_role("button", name=re.compile("^Job nightly")).click()
    await expect(count).to_have_text("12 lines")
    await page.goto("/logs?job=streams/gone")
    await expect(page.locator(".lw-log__problem")).to_have_text("There is no job “streams/gone”.")
