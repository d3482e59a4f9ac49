"""Thousands of streams in a browser: found, filtered and sorted by the address, and still under the reader's eyes."""

import csv
import io

import pytest
from playwright.async_api import Page, expect

from services.entities import Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e
FIRST_SEEN = """() => [...document.querySelectorAll('[role=listitem] .lw-card__name')]
    .find((name) => name.getBoundingClientRect().top > 100)?.textContent"""
MANY = 2000


async def shown(page: Page, count: int) -> None:
    await expect(page.get_by_test_id("summary")).to_have_attribute("data-shown", str(count))


async def test_two_thousand_streams_are_searched_filtered_sorted_and_read_in_peace(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        """insert into streams (org_id, name, goal_status, completed, total, created_at)
           select %s, 'Load ' || n, (array['at_risk', 'blocked', 'in_progress', 'on_track'])[1 + n %% 4],
                  n %% 100, 100, now() - make_interval(secs => n)
           from generate_series(1, %s) as n""",
        org,
        MANY,
    )
    found = [n for n in range(1, MANY + 1) if "77" in str(n)]
    at_risk = [n for n in found if n % 4 == 0]
    page = await window(ada)
    await shown(page, MANY)
    assert await page.get_by_role("listitem").count() <= 200, "what is far from the eye is not there"

    search = page.get_by_test_id("search")
    await search.fill("load 77")
    await shown(page, len(found))
    await page.wait_for_url("**/monitoring?q=load+77")
    await page.get_by_role("button", name="At risk").click()
    await shown(page, len(at_risk))
    await page.wait_for_url("**/monitoring?q=load+77&status=at_risk")
    await page.go_back()
    await shown(page, len(found))
    await expect(search).to_have_value("load 77")
    await page.go_forward()
    await shown(page, len(at_risk))
    link = page.url

    href = await page.get_by_test_id("export").get_attribute("href")
    assert href
    exported = list(csv.DictReader(io.StringIO(await (await page.request.get(href)).text())))
    assert [row["name"] for row in exported] == [f"Load {n}" for n in at_risk]

    await page.goto("/monitoring/agents")
    await page.goto(link)
    await shown(page, len(at_risk))
    await expect(search).to_have_value("load 77")
    await expect(page.get_by_role("button", name="At risk")).to_have_attribute("aria-pressed", "true")
    await page.get_by_test_id("clear").click()
    await shown(page, MANY)
    await page.get_by_test_id("sort").select_option("name")
    await expect(page.get_by_role("listitem").first).to_contain_text("Load 1")
    await page.get_by_test_id("sort").select_option("newest")

    for place, near in ((60000, range(1000, MANY)), (5000, range(50, 300))):
        await page.evaluate("place => scrollTo(0, place)", place)
        await page.wait_for_function(
            f"([from, to]) => {{ const n = +({FIRST_SEEN})()?.slice(5); return from <= n && n < to }}",
            arg=[near.start, near.stop],
        )
    before = await page.evaluate(FIRST_SEEN)
    newest = Stream(org_id=org, name="The newest of all")
    await world.insert(newest, by=ada)
    pill = page.locator(".lw-list__pill")
    await expect(pill).to_contain_text("1 new")
    assert await page.evaluate(FIRST_SEEN) == before
    await pill.get_by_role("button").click()
    await expect(live(page, "streams", newest.id, "name")).to_be_visible()
    await expect(page.get_by_role("listitem").first).to_contain_text("The newest of all")


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
    await expect(first.get_by_text("Nothing matches.")).to_be_visible()
    await world.sql("update streams set goal_status = 'blocked' where id = %s", streams[1].id)
    await expect(live(first, "streams", streams[1].id, "name")).to_be_visible()
    blocked = second.get_by_role("button", name="Blocked")
    await expect(blocked).to_contain_text("1")
    await world.sql("update streams set goal_status = 'on_track' where id = %s", streams[1].id)
    await expect(live(first, "streams", streams[1].id, "name")).to_have_count(0)
    await expect(blocked).to_contain_text("0")
