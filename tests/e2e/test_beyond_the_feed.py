"""More rows than a feed holds: badges, lists and "mark all as read" are true of the database, and a cut says so."""

import pytest
from playwright.async_api import Page, expect

from services.entities import AGENTS, ALERTS, STREAMS
from tests.e2e.conftest import SignedIn
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
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
    assert await page.title() == "(99+) Dashboard · Livewatch"
    await expect(page.locator('[data-table="stats"][data-id="unread_alerts"][data-field="value"]')).to_have_text(
        f"{MANY:,}"
    )
    await world.sql("update signal_alerts set read_at = now() where user_id = %s and signal_strength > 90", reader.id)
    await badge_equals_sql(page, world, reader)
    await world.sql("delete from signal_alerts where user_id = %s and id::text > '8'", reader.id)
    await badge_equals_sql(page, world, reader)


async def test_a_list_says_what_it_leaves_out_and_what_a_search_looks_through(reader: Person, window: SignedIn) -> None:
    page = await window(reader, "/alerts")
    summary, cut = page.get_by_test_id("summary"), page.get_by_test_id("cut")
    await expect(summary).to_have_text(f"{MANY:,} alerts")
    await expect(cut).to_have_text(f"Showing the newest {ALERTS.limit:,} of {MANY:,}")
    await page.get_by_role("button", name="Urgent").click()
    await expect(summary).to_have_text(f"{MANY // 4:,} of {MANY:,}")
    await expect(cut).to_have_text(f"Showing the newest {ALERTS.limit // 4:,} of {MANY // 4:,}")
    await page.get_by_test_id("clear").click()
    await page.get_by_test_id("search").fill(f"target {MANY}")
    await expect(cut).to_have_text(f"Searching only the newest {ALERTS.limit:,} of {MANY:,} alerts")
    await expect(page.locator(".lw-empty")).to_contain_text("Older ones are not shown")
    await expect(page.get_by_text("No matches")).to_have_count(0)


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


async def test_nothing_that_is_only_older_is_said_not_to_exist(world: World, window: SignedIn) -> None:
    """A stream beyond the feed's limit: its page, its details and its sections do not deny it."""
    org = await world.organization()
    ada = await world.person(org)
    old = await world.sql("insert into streams (org_id, name) values (%s, 'Old') returning id", org)
    await world.sql("insert into streams (org_id, name) select %s, 'n' from generate_series(1, %s)", org, STREAMS.limit)
    page = await window(ada, f"/streams/{old[0][0]}")
    await expect(page.get_by_text("This stream is not shown")).to_be_visible()
    await expect(page.get_by_text("There is no such stream")).to_be_hidden()
    await page.goto("/monitoring?show=archived")
    empty = page.locator(".lw-empty")
    await expect(empty).to_contain_text("Older ones are not shown")
    await expect(page.get_by_text("No streams yet")).to_have_count(0)
    await page.goto("/streams/00000000-0000-4000-8000-000000000000")
    await expect(page.get_by_text("This stream is not shown")).to_be_visible()


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
    # A chosen stream looks through the rows that are held, and the list says so.
    await expect(page.get_by_test_id("cut")).to_have_text(
        f"Searching only the newest {AGENTS.limit + 1:,} of 100,001 runs"
    )
