"""The board of analytics as people see it: live charts and their tables, what leads to runs, boards of one's own."""

from contextlib import suppress
from urllib.parse import parse_qs, quote, unquote, urlsplit
from uuid import UUID

import pytest
from playwright.async_api import Page, TimeoutError, expect

from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.pages.program import a_key, store_point
from tests.speed import milliseconds
from tests.world import World, until

pytestmark = pytest.mark.e2e

CHARTS = ("throughput", "rates", "durations", "load", "jobs", "failures")


async def report(
    world: World, org: UUID, *, count: int, status: str, slug: str = "reader", ago: str = "3 hours"
) -> None:
    """Insert runs of agents that took a minute."""
    await world.sql(
        "insert into streams (org_id, name) select %s, 'S' where not exists (select from streams where org_id = %s)",
        org, org,
    )  # fmt: skip
    await world.sql(
        "insert into agent_executions (org_id, stream_id, slug, agent_id, agent_name, status, created_at, started_at, "
        "completed_at) select org_id, id, %s || '@' || gen_random_uuid(), 'a', initcap(%s), %s, "
        "ended - interval '60 s', ended - interval '60 s', ended from streams, "
        "cast(now() - cast(%s as interval) as timestamptz) as ended, "
        "generate_series(1, %s) where org_id = %s",
        slug, slug, status, ago, count, org,
    )  # fmt: skip


async def table_of(page: Page, name: str) -> list[list[str]]:
    """Return the rows of the table behind a chart, which screen readers read also while it is not shown."""
    rows = page.locator(f'[data-chart="{name}"] .lw-board__table tbody tr')
    return [await row.locator("th, td").all_inner_texts() for row in await rows.all()]


async def expect_tile(page: Page, name: str, text: str) -> None:
    await expect(page.locator(f'[data-chart="figures"] [data-field="{name}"]')).to_have_text(text)


async def test_charts_move_with_the_runs_and_have_tables(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org, role=Role.OPERATOR)
    await report(world, org, count=3, status="completed")
    await report(world, other, count=9, status="failed")
    page = await window(ada, "/")
    await page.get_by_role("link", name="Analytics").click()
    await expect_tile(page, "ended", "3")
    for name in CHARTS:
        await expect(page.locator(f'[data-chart="{name}"] canvas').first).to_be_visible()
    await expect(page.locator('[data-chart="alerts"]')).to_contain_text("Nothing in this range.")
    await report(world, org, count=1, status="failed", slug="writer")
    await expect_tile(page, "ended", "4")
    await expect_tile(page, "rate", "75 %")
    assert [row[1:] for row in await table_of(page, "throughput")] == [["3", "1", "0"]]
    assert [row[1:] for row in await table_of(page, "rates")] == [["75 %", "25 %"]]
    assert sorted(await table_of(page, "jobs")) == [["Reader", "3", "0"], ["Writer", "0", "1"]]
    ((run,),) = await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, started_at) "
        "select org_id, id, 'a', 'A', 'running', now() from streams where org_id = %s limit 1 returning id", org,
    )  # fmt: skip
    await expect_tile(page, "running", "1")
    await world.sql("delete from agent_executions where id = %s", run)
    await expect_tile(page, "running", "0")
    await world.sql("delete from agent_executions where org_id = %s and status = 'failed'", org)
    await expect_tile(page, "ended", "3")
    await page.get_by_role("button", name="Table of Throughput").click()
    await expect(page.locator('[data-chart="throughput"] table')).to_be_in_viewport()


async def test_a_part_of_a_chart_leads_to_its_runs(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report(world, org, count=4, status="failed")
    await report(world, org, count=2, status="failed", ago="9 hours")
    await report(world, org, count=5, status="completed")
    await world.sql(
        "insert into acquisition_scans (org_id, name, status, started_at, completed_at) select %s, 'Scan', 'failed', "
        "completed_at - interval '1 s', completed_at from agent_executions where org_id = %s and status = 'failed' "
        "order by completed_at desc limit 1", org, org,
    )  # fmt: skip
    page = await window(ada, "/analytics")
    cell = page.locator('[data-chart="throughput"] .lw-board__cell', has_text="5")
    await expect(cell.nth(1)).to_have_text("5")
    await page.get_by_role("button", name="Table of Throughput").click()
    await cell.nth(1).click()  # four failed agents and a scan
    await expect(page.get_by_role("dialog")).to_contain_text("Scans: 1")
    await page.get_by_role("dialog").get_by_role("link", name="Agents: 4").click()
    await page.wait_for_url("**/monitoring/agents?**")
    params = parse_qs(urlsplit(page.url).query)
    assert (params["status"], params["by"]) == (["failed"], ["ended"])
    await expect(page.locator(".lw-period__button")).to_contain_text("Ended: ")
    await expect(page.locator('.lw-list [data-field="status"]')).to_have_count(4)
    # A click on the canvas does the same: a bar of the job that ended most.
    await page.goto("/analytics?charts=jobs.l")
    canvas = page.locator('[data-chart="jobs"] canvas')
    await expect(canvas).to_be_visible()
    box = await canvas.bounding_box()
    assert box

    async def leads_to_the_job() -> bool:
        # The bar is still growing when its canvas is there.
        await page.mouse.click(box["x"] + box["width"] / 3, box["y"] + box["height"] * 0.55)
        with suppress(TimeoutError):
            await page.wait_for_url("**/jobs/agents/reader", timeout=milliseconds(1))
        return page.url.endswith("/jobs/agents/reader")

    await until(leads_to_the_job)
    await report(world, org, count=1, status="failed", slug="writer")
    await page.locator("#content").get_by_role("link", name="Analytics", exact=True).click()
    await page.wait_for_url("**/analytics?kind=agents&job_id=**")
    await expect_tile(page, "ended", "11")


async def test_a_board_is_arranged_saved_and_shared(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, bob = await world.person(org, role=Role.OPERATOR), await world.person(org)
    await report(world, org, count=3, status="completed")
    page = await window(ada, "/analytics?kind=agents")
    await page.get_by_role("button", name="Arrange").click()
    removed = ("Alerts by type", "Busiest jobs", "Duration", "Failures by hour and weekday", "Running and waiting")
    for label in (*removed, "Here now"):
        await page.get_by_role("button", name=f"Remove {label}").click()
    await page.get_by_role("button", name="Move Success and failure rate forward").click()
    await page.get_by_role("button", name="Size of Throughput: Medium").click()
    await page.get_by_test_id("done").click()
    await page.wait_for_url("**charts=figures.l%2Crates.m%2Cthroughput.l**")
    await page.get_by_test_id("views").click()
    await page.get_by_text("Save this view …").click()
    await page.get_by_label("Name").fill("Wall of the team")
    await page.get_by_text("Everybody in the organisation").click()
    await page.get_by_text("Pin to the sidebar").click()
    await page.get_by_role("button", name="Save", exact=True).click()

    his = await window(bob, "/analytics")
    await his.locator('[data-view="Wall of the team"]').click()
    await his.wait_for_url("**/analytics?**charts=**")
    await expect(his.locator(".lw-board__chart")).to_have_count(3)
    assert [await each.get_attribute("data-chart") for each in await his.locator(".lw-board__chart").all()] == [
        "figures", "rates", "throughput",
    ]  # fmt: skip
    await expect_tile(his, "ended", "3")
    await his.go_back()
    await expect(his.locator(".lw-board__chart")).to_have_count(9)


async def test_a_board_says_who_is_here(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    for person, name in ((ada, "Ada <b>"), (bob, "أمينة")):
        await world.sql("update profiles set display_name = %s where user_id = %s", name, person.id)
    page = await window(ada, "/analytics?charts=people.m")
    people = page.locator('[data-chart="people"] li')
    await expect(people).to_have_count(1)
    await expect(people).to_contain_text("You")
    await window(await world.person(other), "/analytics")
    his = await window(bob, "/monitoring/agents")
    await expect(people).to_have_count(2)
    await page.locator('[data-chart="people"]').get_by_role("link", name="Agents").click()
    await page.wait_for_url("**/monitoring/agents**")
    await page.go_back()
    await his.goto("/jobs")
    await expect(page.locator('[data-chart="people"]').get_by_role("link", name="Jobs")).to_be_visible()
    status, text = await export(page, f"/export/analytics.csv?org={org}&chart=people")
    assert (status, [line.split(",")[0] for line in text.strip().splitlines()[1:]]) == (200, ["Ada <b>", "أمينة"])
    await his.close()
    await expect(people).to_have_count(1)


async def test_a_first_reading_is_for_the_readers_clock(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report(world, org, count=3, status="completed")
    page = await window(ada, "/analytics")
    await expect_tile(page, "ended", "3")
    zone = await page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone")
    cookies = {each["name"]: each["value"] for each in await page.context.cookies()}
    assert unquote(cookies["livewatch_zone"]) == zone
    for told in (zone, "Mars/Base", "%00%ff;", "Asia/Kathmandu"):
        await page.context.add_cookies([{"name": "livewatch_zone", "value": quote(told), "url": page.url}])
        await page.reload()
        await expect_tile(page, "ended", "3")
        await report(world, org, count=1, status="completed", slug="later")
        await expect_tile(page, "ended", "4")
        await world.sql("delete from agent_executions where org_id = %s and slug like 'later%%'", org)


async def test_filters_ranges_and_bad_addresses(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report(world, org, count=3, status="completed")
    await report(world, org, count=2, status="failed", slug="writer", ago="40 days")
    page = await window(ada, "/analytics?kind=agents&zone=Mars/Base&charts=figures,pie")
    problem = page.locator(".lw-board__problem")
    await expect(problem).to_contain_text("There is no time zone “Mars/Base”")
    await expect(problem).to_contain_text("There is no chart “pie”")
    await expect_tile(page, "ended", "3")
    await page.get_by_role("button", name="Clear").click()
    await page.wait_for_url("**from=all**")
    await expect_tile(page, "ended", "5")
    await page.get_by_test_id("search").fill("writ")
    await expect_tile(page, "ended", "2")
    await page.goto("/analytics?from=2031-01-01&to=2031-02-01&charts=figures")
    await expect_tile(page, "ended", "0")
    await expect_tile(page, "rate", "\N{EN DASH}")
    await page.goto("/analytics?charts=none")
    await expect(page.get_by_text("This board has no charts.")).to_be_visible()


async def test_the_wall_view_shows_the_board_alone(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report(world, org, count=3, status="completed")
    page = await window(ada, "/analytics")
    await expect_tile(page, "ended", "3")
    await page.set_viewport_size({"width": 1920, "height": 1080})
    await page.get_by_role("button", name="Wall view").click()
    await expect(page.locator(".lw-sidebar")).to_be_hidden()
    await expect(page.locator(".lw-header")).to_be_hidden()
    await expect(page.locator('[data-chart="people"] li')).to_be_in_viewport()
    assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight + 1")
    await report(world, org, count=1, status="failed")
    await expect_tile(page, "ended", "4")
    await page.get_by_role("button", name="Leave the wall view").click()
    await expect(page.locator(".lw-sidebar")).to_be_visible()


async def export(page: Page, address: str) -> tuple[int, str]:
    answer = await page.request.get(address)
    return answer.status, await answer.text()


async def test_charts_are_saved_as_files(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org)
    await report(world, org, count=3, status="completed", slug="sums")
    await world.sql("update jobs set name = '=1+1' where org_id = %s", org)
    page = await window(ada, "/analytics")
    await expect_tile(page, "ended", "3")
    async with page.expect_download() as png:
        await page.get_by_role("button", name="Save Throughput as PNG").click()
    picture = await (await png.value).path()
    assert picture.read_bytes().startswith(b"\x89PNG")
    async with page.expect_download() as csv:
        await page.get_by_role("link", name="Download Throughput as CSV").click()
    lines = (await (await csv.value).path()).read_text("utf-8-sig").splitlines()
    assert lines[0] == "From,Completed,Failed,Stopped or cancelled"
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 3
    status, text = await export(page, f"/export/analytics.csv?chart=jobs&org={org}")
    assert (status, "'=1+1" in text) == (200, True), text
    for address, wanted in (
        (f"/export/analytics.csv?chart=pie&org={org}", 400),
        (f"/export/analytics.csv?chart=jobs&org={org}&zone=Mars/Base", 400),
        (f"/export/analytics.csv?chart=jobs&org={other}", 403),
    ):
        assert (await export(page, address))[0] == wanted, address


async def test_every_chart_leads_on_by_its_table(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report(world, org, count=2, status="failed")
    await report(world, org, count=2, status="completed", ago="30 minutes")
    await world.sql(
        "insert into signal_alerts (org_id, user_id, company_name, target_name, signal_type, signal_strength) "
        "values (%s, %s, 'C', 'T', 'funding', 90)", org, ada.id,
    )  # fmt: skip
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, started_at) "
        "select org_id, id, 'a', 'A', 'running', now() from streams where org_id = %s limit 1", org,
    )  # fmt: skip
    for chart, path in (
        ("rates", "**/monitoring/agents?status=**by=ended"),
        ("durations", "**/monitoring/agents?status=completed&**by=ended"),
        ("failures", "**/monitoring/agents?status=failed&**by=ended"),
        ("alerts", "**/alerts?from=**&to=**"),
        ("load", "**/monitoring/agents?status=running"),
    ):
        page = await window(ada, f"/analytics?kind=agents&charts={chart}.l")
        await expect(page.locator(f'[data-chart="{chart}"] canvas').first).to_be_visible()
        cells = page.locator(f'[data-chart="{chart}"] .lw-board__cell')
        await expect(cells.first).to_be_attached()
        await page.locator(f'[data-chart="{chart}"]').get_by_role("button", name="Table of").click()
        await cells.first.click()
        await page.wait_for_url(path)


async def test_tokens_are_charted_once_a_run_logs_them(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.OPERATOR)
    sql = "insert into acquisition_scans (org_id, name, status) values (%s, 'S', 'scanning') returning id"
    ((run,),) = await world.sql(sql, org)
    page = await window(ada, "/analytics?charts=tokens,cost")
    tokens, cost = (page.locator(f'[data-chart="{name}"]') for name in ("tokens", "cost"))
    await expect(tokens).to_contain_text("Log a metric called tokens")
    await store_point(world, await a_key(world, org), f"scans/{run}", "tokens", "1200")
    await world.sql("update acquisition_scans set heartbeat_at = now() where id = %s", run)
    await expect(tokens.locator("canvas").first).to_be_visible()
    await expect(cost).to_contain_text("Log a metric called cost")
    await tokens.get_by_role("button", name="Table of Tokens").click()
    await tokens.get_by_role("button", name="1,200. Show the runs").click()
    await page.wait_for_url("**/monitoring/scans?to=*")
    await expect(page.get_by_role("link", name="S", exact=True).first).to_be_visible()
