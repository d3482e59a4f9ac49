"""More rows than a feed holds: badges, lists and "mark all as read" are true of the database, and a cut says so."""

import re
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from services.entities import AGENTS, ALERTS, STREAMS
from tests.e2e.conftest import SignedIn
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
ROW_IN_SIGHT = "() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('[role=listitem]')"
MANY = ALERTS.limit + 1200


@pytest.fixture
async def reader(world: World) -> Person:
    """Create a person with thousands of unread alerts; every fourth is urgent."""
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength, detected_at) "
        "select %s, %s, 'Target ' || n, 'x', case when n %% 4 = 0 then 95 else 10 end, "
        "now() - make_interval(secs => n) from generate_series(1, %s) as n",
        org, ada.id, MANY,
    )  # fmt: skip
    return ada


async def unread(world: World, reader: Person) -> int:
    ((count,),) = await world.sql(
        "select count(*) from signal_alerts where user_id = %s and read_at is null and status = 'new'", reader.id
    )
    return int(count)


async def badge_equals_sql(page: Page, world: World, reader: Person) -> None:
    badge = page.locator('.lw-bell [data-field="unread"]')

    async def is_equal() -> bool:
        return await badge.get_attribute("data-value") == str(await unread(world, reader))

    await until(is_equal, within=15, what="the badge is the database's count")


async def test_the_badge_has_the_true_number_and_follows_every_change(
    world: World, reader: Person, window: SignedIn
) -> None:
    page = await window(reader, "/")
    await badge_equals_sql(page, world, reader)
    bell = page.locator(".lw-bell")
    await expect(bell.locator('[data-field="unread"]')).to_have_text("99+")
    await expect(bell).to_have_accessible_name(f"Inbox: {MANY:,} unread")
    await expect(bell.locator(".lw-count")).to_have_attribute("title", f"{MANY:,} unread")
    assert await page.title() == f"({MANY:,}) Dashboard · Livewatch"
    await expect(page.locator('[data-table="stats"][data-id="unread_alerts"][data-field="value"]')).to_have_text(
        f"{MANY:,}"
    )
    await world.sql("update signal_alerts set read_at = now() where user_id = %s and signal_strength > 90", reader.id)
    await badge_equals_sql(page, world, reader)
    await world.sql("delete from signal_alerts where user_id = %s and id::text > '8'", reader.id)
    await badge_equals_sql(page, world, reader)


async def test_a_list_reaches_every_row_and_counts_them_all(reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/alerts")
    summary = page.get_by_test_id("summary")
    await expect(summary).to_have_text(f"{MANY:,} alerts")
    await page.get_by_role("button", name="Urgent").click()
    await expect(summary).to_have_text(f"{MANY // 4:,} of {MANY:,}")
    await page.get_by_test_id("clear").click()
    await page.get_by_test_id("search").fill(f"TÁRGET {MANY}")
    await expect(page.get_by_text(f"Target {MANY}", exact=True)).to_be_visible()
    await expect(summary).to_have_text(f"1 of {MANY:,}")
    await page.get_by_test_id("search").fill("nothing like it")
    await expect(page.locator(".lw-empty")).to_contain_text("No matches")
    await expect(summary).to_have_text(f"0 of {MANY:,}")


async def test_older_rows_come_as_one_scrolls_and_nothing_is_missing_or_twice(reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/alerts")
    seen: dict[int, None] = {}

    async def reach_the_end() -> bool:
        texts = await page.locator('.lw-list [role="listitem"]').all_text_contents()
        seen.update({int(found[1]): None for text in texts if (found := re.search(r"Target (\d+)", text))})
        await page.mouse.wheel(0, 1500)
        # As a person does: on to the next rows once these are there.
        await page.wait_for_function(ROW_IN_SIGHT)
        return MANY in seen

    await until(reach_the_end, within=90, what="the oldest alert is in the list")
    assert list(seen) == list(range(1, MANY + 1))


async def test_all_are_marked_as_read_with_a_true_message_and_come_back(
    world: World, reader: Person, window: SignedIn
) -> None:
    page = await window(reader, "/alerts?priority=urgent")
    await page.get_by_test_id("mark-all").get_by_text(f"Mark {MANY // 4} as read").click()
    offer = page.get_by_test_id("offer").last
    await expect(offer).to_contain_text(f"{MANY // 4} alerts marked as read.")
    assert await unread(world, reader) == MANY - MANY // 4
    await badge_equals_sql(page, world, reader)
    await page.get_by_test_id("clear").click()
    await page.get_by_test_id("mark-all").click()
    await expect(offer).to_contain_text(f"{MANY - MANY // 4:,} alerts marked as read.")
    assert await unread(world, reader) == 0
    # The badge is looked at later: the offer does not stay, and a loaded machine takes a while to count.
    await offer.get_by_role("button", name="Undo").click()
    await until(lambda: _are_unread(world, reader, MANY - MANY // 4), within=60, what="undo marks as many again")
    await badge_equals_sql(page, world, reader)


async def _are_unread(world: World, reader: Person, count: int) -> bool:
    return await unread(world, reader) == count


async def test_what_is_older_than_the_feed_has_its_page_its_details_and_its_runs(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ((old,),) = await world.sql(
        "insert into streams (org_id, name, goal_status) values (%s, 'Old', 'completed') returning id", org
    )
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "values (%s, %s, 'a', 'First agent', 'completed')", org, old,
    )  # fmt: skip
    await crowd_out(world, org, old)
    page = await window(ada, f"/streams/{old}")
    await expect(page.get_by_role("heading", name="Old", exact=True)).to_be_visible()
    await expect(page.get_by_text("First agent").first).to_be_visible()
    await world.sql("update streams set name = 'Old, renamed' where id = %s", old)
    await expect(page.get_by_role("heading", name="Old, renamed")).to_be_visible()
    await page.goto("/monitoring?show=archived")
    await expect(page.locator(".lw-empty")).to_contain_text("No matches")
    await page.goto("/streams/00000000-0000-4000-8000-000000000000")
    await expect(page.get_by_text("There is no such stream")).to_be_visible()
    ((agent,),) = await world.sql(
        "select id from agent_executions where agent_name = 'First agent' and org_id = %s", org
    )
    await page.goto(f"/monitoring/agents?selected={agent}")
    details = page.get_by_role("complementary", name="Details of the run")
    await expect(details.get_by_text("First agent").first).to_be_visible()
    await world.sql("delete from agent_executions where id = %s", agent)
    await expect(details.get_by_text("It was deleted")).to_be_visible()


async def crowd_out(world: World, org: UUID, stream: UUID) -> None:
    """Add so many newer streams and runs that the feed holds no others."""
    await world.sql(
        "insert into streams (org_id, name, goal_status) select %s, 'n', 'completed' from generate_series(1, %s)",
        org, STREAMS.limit,
    )  # fmt: skip
    ((other,),) = await world.sql("select id from streams where org_id = %s and id <> %s limit 1", org, stream)
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "select %s, %s, 'a', 'n', 'completed' from generate_series(1, %s)",
        org, other, AGENTS.limit,
    )  # fmt: skip


async def test_a_stream_with_a_hundred_thousand_runs_opens_with_their_true_number(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ((stream,),) = await world.sql("insert into streams (org_id, name) values (%s, 'Busy') returning id", org)
    await world.sql("alter table agent_executions disable trigger user")
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, started_at, completed_at)"
        " select %s, %s, 'a', 'Agent ' || n, 'completed', now(), now() from generate_series(1, 100000) as n",
        org, stream,
    )  # fmt: skip
    await world.sql("alter table agent_executions enable trigger user")
    page = await window(ada, "/monitoring/agents")
    await expect(page.get_by_test_id("summary")).to_have_text("100,000 runs")
    await page.goto(f"/streams/{stream}")
    await expect(page.get_by_text("Agent ").first).to_be_visible()
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status)"
        " values (%s, %s, 'a', 'Latecomer', 'running')",
        org, stream,
    )  # fmt: skip
    await expect(page.get_by_text("Latecomer").first).to_be_visible()
    await page.get_by_role("link", name="All runs of this stream").click()
    await expect(page.get_by_test_id("summary")).to_have_text("more than 100,000 of 100,001")
    await page.get_by_role("combobox", name="Stream").focus()
    await expect(page.get_by_role("combobox", name="Stream").locator("option")).to_have_text(["Stream: all", "Busy"])


async def test_a_range_of_time_is_chosen_by_periods_times_and_the_histogram(reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/alerts")
    summary, period = page.get_by_test_id("summary"), page.get_by_test_id("period")
    await period.click()
    panel = page.get_by_role("dialog", name="Range of time")
    await expect(panel.get_by_role("status")).to_contain_text(f"{MANY:,} alerts from")
    await panel.get_by_role("button", name="Last 15 minutes").click()
    await expect(panel).to_be_hidden()
    await expect(summary).to_have_text(re.compile(rf"^[89]\d\d of {MANY:,}$"))
    assert "from=15m" in page.url
    await period.click()
    bars = panel.get_by_role("img")
    await expect(panel.get_by_role("status")).to_contain_text("Drag to choose a part")
    box = await bars.bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 20, steps=3)
    await page.mouse.up()
    await expect(summary).to_have_text(re.compile(rf"^2\d\d of {MANY:,}$"))
    await panel.get_by_label("Time zone").fill("Mars/Base")
    await panel.get_by_role("button", name="Apply").click()
    await expect(panel.get_by_role("alert")).to_contain_text("There is no time zone “Mars/Base”")
    await page.keyboard.press("Escape")
    await page.go_back()
    await expect(summary).to_have_text(re.compile(rf"^2\d\d of {MANY:,}$"))
