"""Thousands of streams in a browser: search, filters and sorting in the URL, and a stable scroll position."""

import csv
import io

import pytest
from playwright.async_api import Page, expect

from services.entities import Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import Person, World

pytestmark = pytest.mark.e2e
FIRST_SEEN = """() => [...document.querySelectorAll('[role=listitem] .lw-card__name')]
    .find((name) => name.getBoundingClientRect().top > 100)?.textContent"""
MANY = 2000


async def shown(page: Page, count: int) -> None:
    await expect(page.get_by_test_id("summary")).to_have_attribute("data-shown", str(count))


FOUND = [n for n in range(1, MANY + 1) if "77" in str(n)]
AT_RISK = [n for n in FOUND if n % 4 == 0]


@pytest.fixture
async def reader(world: World) -> Person:
    """Create a member of an organisation with two thousand streams."""
    org = await world.organization()
    await world.sql(
        """insert into streams (org_id, name, goal_status, completed, total, created_at)
           select %s, 'Load ' || n, (array['at_risk', 'blocked', 'in_progress', 'on_track'])[1 + n %% 4],
                  n %% 100, 100, now() - make_interval(secs => n)
           from generate_series(1, %s) as n""",
        org,
        MANY,
    )
    return await world.person(org)


async def test_two_thousand_streams_are_searched_and_filtered_by_the_address(reader: Person, window: SignedIn) -> None:
    page = await window(reader)
    await shown(page, MANY)
    assert await page.get_by_role("listitem").count() <= 200, "what is far from the eye is not there"
    search = page.get_by_test_id("search")
    await search.fill("load 77")
    await shown(page, len(FOUND))
    await page.wait_for_url("**/monitoring?q=load+77")
    await page.get_by_role("button", name="At risk").click()
    await shown(page, len(AT_RISK))
    await page.wait_for_url("**/monitoring?q=load+77&status=at_risk")
    await page.go_back()
    await shown(page, len(FOUND))
    await expect(search).to_have_value("load 77")
    await page.go_forward()
    await shown(page, len(AT_RISK))


async def test_an_address_brings_back_a_view_which_is_exported_cleared_and_sorted(
    reader: Person, window: SignedIn
) -> None:
    page = await window(reader, "/monitoring?q=load+77&status=at_risk")
    await shown(page, len(AT_RISK))
    await expect(page.get_by_test_id("search")).to_have_value("load 77")
    await expect(page.get_by_role("button", name="At risk")).to_have_attribute("aria-pressed", "true")
    href = await page.get_by_test_id("export").get_attribute("href")
    assert href
    exported = list(csv.DictReader(io.StringIO(await (await page.request.get(href)).text())))
    assert [row["name"] for row in exported] == [f"Load {n}" for n in AT_RISK]
    await page.get_by_test_id("clear").click()
    await shown(page, MANY)
    await page.get_by_test_id("sort").select_option("name")
    await expect(page.get_by_role("listitem").first).to_contain_text("Load 1")


async def test_two_thousand_streams_are_read_in_peace(world: World, reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/monitoring?sort=newest")
    await shown(page, MANY)
    await expect(page.get_by_role("listitem").first).to_contain_text("Load 1")
    for place, near in ((60000, range(1000, MANY)), (5000, range(50, 300))):
        await page.evaluate("place => scrollTo(0, place)", place)
        await page.wait_for_function(
            f"([from, to]) => {{ const n = +({FIRST_SEEN})()?.slice(5); return from <= n && n < to }}",
            arg=[near.start, near.stop],
        )
    before = await page.evaluate(FIRST_SEEN)
    ((org,),) = await world.sql("select org_id from org_members where user_id = %s", reader.id)
    newest = Stream(org_id=org, name="The newest of all")
    await world.insert(newest, by=reader)
    pill = page.locator(".lw-list__pill")
    await expect(pill).to_contain_text("1 new")
    assert await page.evaluate(FIRST_SEEN) == before
    await pill.get_by_role("button").click()
    await expect(live(page, "streams", newest.id, "name")).to_be_visible()
    await expect(page.get_by_role("listitem").first).to_contain_text("The newest of all")


async def test_who_scrolls_to_the_end_is_at_the_end_when_its_rows_have_come(reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/monitoring?sort=newest")
    await expect(page.get_by_role("listitem").first).to_contain_text("Load 1")
    await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    await expect(page.get_by_text(f"Load {MANY}", exact=True)).to_be_in_viewport()


async def test_a_filtered_list_takes_in_what_comes_to_pass_and_lets_go_what_no_longer_does(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    streams = [Stream(org_id=org, name=f"Stream {n}", total=10) for n in range(3)]
    for stream in streams:
        await world.insert(stream, by=ada)
    first, second = await window(ada, "/monitoring?status=blocked"), await window(ada)
    await shown(first, 0)
    await shown(second, 3)
    await expect(first.get_by_text("No matches.")).to_be_visible()
    await world.sql("update streams set goal_status = 'blocked' where id = %s", streams[1].id)
    await expect(live(first, "streams", streams[1].id, "name")).to_be_visible()
    blocked = second.get_by_role("button", name="Blocked")
    await expect(blocked).to_contain_text("1")
    await world.sql("update streams set goal_status = 'on_track' where id = %s", streams[1].id)
    await expect(live(first, "streams", streams[1].id, "name")).to_have_count(0)
    await expect(blocked).to_contain_text("0")


async def test_a_list_is_one_stop_of_tab_and_arrow_keys_lead_through_it(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into streams (org_id, name) "
        "select %s, 'Stream ' || lpad(n::text, 2, '0') from generate_series(1, 40) as n",
        org,
    )
    page = await window(ada, "/monitoring?sort=name")
    cards = page.locator(".lw-card")
    await expect(cards).to_have_count(40)
    stops = "() => [...document.querySelectorAll('.lw-list a, .lw-list button')].filter((e) => e.tabIndex >= 0).length"
    assert await page.evaluate(stops) == 1

    async def focused() -> str:
        return str(await page.evaluate("document.activeElement.innerText"))

    await cards.first.get_by_role("link").focus()
    for key, name in (("ArrowDown", "02"), ("ArrowDown", "03"), ("ArrowUp", "02"), ("End", "40"), ("Home", "01")):
        await page.keyboard.press(key)
        assert await focused() == f"Stream {name}"
    assert await page.evaluate(stops) == 1
    await page.keyboard.press("Tab")
    assert not (await focused()).startswith("Stream")
