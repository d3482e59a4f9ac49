"""The System tab in a browser: figures of the feeds, and the inspector."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from services.entities import Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e


async def events(page: Page, count: int) -> None:
    await expect(page.get_by_test_id("event-count")).to_have_attribute("data-value", str(count))


async def test_the_inspector_shows_what_arrives_filters_pauses_clears_and_exports(
    world: World, window: SignedIn, tmp_path: Path
) -> None:
    org, other = await world.organization("Ours"), await world.organization("Theirs")
    ada, eve = await world.person(org), await world.person(other)
    stream = Stream(org_id=org, name="Nightly import", total=10)
    await world.insert(stream, by=ada)
    page = await window(ada, "/monitoring/system")
    log = page.get_by_test_id("inspector")
    await expect(log.get_by_text("Listening.")).to_be_visible()

    await world.insert(Stream(org_id=other, name="Of another organisation"), by=eve)
    await world.sql("update streams set completed = 4 where id = %s", stream.id)
    row = log.locator(".lw-log__row").filter(has_text="UPDATE").filter(has_text="streams")
    await expect(row).to_contain_text("Nightly import")
    await expect(row.get_by_title("completed: 0 → 4")).to_be_visible()
    await events(page, 1)

    await log.get_by_role("button", name="Pause").click()
    await world.sql("update streams set completed = 5 where id = %s", stream.id)
    await expect(page.get_by_test_id("event-count")).to_contain_text("1 waiting")
    await events(page, 1)
    await log.get_by_role("button", name="Resume").click()
    await events(page, 2)

    await world.sql("delete from streams where id = %s", stream.id)
    await expect(log.locator(".lw-log__row").filter(has_text="DELETE").first).to_be_visible()
    await log.get_by_label("Filter events").fill("delete nightly")
    await log.get_by_label("Table").select_option("streams")
    await events(page, 1)
    async with page.expect_download() as download:
        await log.get_by_role("button", name="Export these events as JSON lines").click()
    saved = tmp_path / "events.jsonl"
    await (await download.value).save_as(saved)
    (exported,) = [json.loads(line) for line in saved.read_text().splitlines()]
    assert (exported["table"], exported["event"], exported["id"]) == ("streams", "DELETE", str(stream.id))
    await log.get_by_label("Filter events").fill("")
    await log.get_by_role("button", name="Clear").click()
    await events(page, 0)
    assert "Of another organisation" not in await page.content()


async def test_the_figures_are_those_of_the_persons_own_feeds(world: World, window: SignedIn) -> None:
    org = await world.organization("Ours")
    ada = await world.person(org)
    page = await window(ada, "/monitoring/system")
    feed, personal = f"org:{org}", f"user:{ada.id}"
    await expect(live(page, "feeds", feed, "name")).to_have_text("Ours")
    await expect(live(page, "feeds", personal, "status")).to_have_text("Connected")
    await expect(page.locator('[data-table="feeds"][data-field="name"]')).to_have_count(2)
    await expect(live(page, "feeds", feed, "p95")).to_contain_text("ms")
    await expect(live(page, "plan", "connections", "allowed")).to_have_text("200")
    used = await live(page, "plan", "connections", "used").get_attribute("data-value")
    assert used
    assert float(used) >= 2
