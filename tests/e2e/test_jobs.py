"""Jobs and their runs as people see them."""

import pytest
from playwright.async_api import Page, expect

from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e


async def report_runs(world: World, org: object, count: int) -> None:
    """Insert runs of the job "nightly", of which every fifth fails; they took 60 to 70 s, the last one goes on."""
    await world.sql(
        "insert into streams (org_id, slug, name) select %s, 'nightly@k' || n, 'Nightly import' "
        "from generate_series(1, %s) as n",
        org, count,
    )  # fmt: skip
    await world.sql(
        "update streams set goal_status = case when number %% 5 = 0 then 'blocked' else 'completed' end, "
        "error = case when number %% 5 = 0 then 'disk full' end, "
        "finished_at = created_at + make_interval(secs => 60 + number %% 10) where org_id = %s and number < %s",
        org, count,
    )  # fmt: skip


async def figure(page: Page, name: str) -> str:
    return await page.locator(f'.lw-job-panel [data-field="{name}"]').inner_text()


async def test_a_job_shows_how_its_runs_went_and_follows_them(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.OPERATOR)
    await report_runs(world, org, 60)
    await world.sql("insert into streams (org_id, slug, name) values (%s, 'weekly', 'مهمة')", org)
    page = await window(ada, "/")
    await page.get_by_role("link", name="Jobs", exact=True).click()
    nightly = page.get_by_test_id("job-streams-nightly")
    await expect(nightly).to_contain_text("Nightly import")
    await expect(nightly.locator(".lw-strip__run")).to_have_count(30)
    await page.get_by_test_id("search").fill("WEEK")
    await expect(page.locator(".lw-job")).to_have_count(1)
    await page.get_by_test_id("search").fill("100%_")
    await expect(page.get_by_text("No job has this in its name or slug.")).to_be_visible()
    await page.get_by_test_id("search").fill("")
    await nightly.get_by_role("link", name="Nightly import").click()

    await expect(page.get_by_role("heading", name="Nightly import")).to_be_visible()
    await expect(page.locator(".lw-job-panel .lw-strip__run")).to_have_count(50)
    await expect(page.locator(".lw-durations__run")).to_have_count(50)
    assert [await figure(page, each) for each in ("count", "rate", "failure")] == ["60", "81 %", "Run 55"]
    assert (await figure(page, "usual")).startswith("1 m 0")
    # The run that goes on ends, the next one begins: in the open window.
    await world.sql("update streams set goal_status = 'completed' where org_id = %s and number = 60", org)
    await expect(page.get_by_test_id("run-60")).to_contain_text("Completed")
    await world.sql("insert into streams (org_id, slug, name) values (%s, 'nightly', 'Nightly import')", org)
    await expect(page.get_by_test_id("run-61")).to_contain_text("Not started")
    await expect(page.locator('.lw-job-panel [data-field="count"]')).to_have_text("61")

    await page.get_by_test_id("run-58").get_by_role("link").click()
    usual = page.get_by_test_id("usual")
    await expect(usual).to_contain_text("Run 58 of Nightly import")
    await expect(usual.locator('[data-field="verdict"]')).to_contain_text("Took 1 m 08 s, usually 1 m 0")
    await expect(usual.locator('[aria-current="true"]')).to_have_count(1)
    await usual.get_by_role("link", name="Nightly import").click()
    await page.wait_for_url("**/jobs/streams/nightly")


async def test_a_run_shows_its_number_and_its_attempts(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await report_runs(world, org, 4)
    ((id,),) = await world.sql(
        "update streams set attempt = 2, attempts = jsonb_build_array(jsonb_build_object("
        "'number', 1, 'status', 'blocked', 'error', 'disk full <b>')) where org_id = %s and number = 4 returning id",
        org,
    )  # fmt: skip
    await world.sql(
        "insert into agent_executions (org_id, stream_id, slug, agent_id, agent_name) "
        "select %s, %s, 'reader@' || n || 'k', 'reader', 'Reader' from generate_series(1, 3) as n", org, id,
    )  # fmt: skip
    ((agent,),) = await world.sql("select id from agent_executions where org_id = %s and number = 2", org)
    page = await window(ada, f"/streams/{id}")
    await expect(page.get_by_test_id("usual")).to_contain_text("Run 4 of Nightly import, attempt 2")
    await expect(page.get_by_text("Attempt 1: blocked")).to_be_visible()
    await expect(page.get_by_text("disk full <b>").first).to_be_visible()
    await page.goto(f"/monitoring/agents?selected={agent}")
    await expect(page.get_by_test_id("usual")).to_contain_text("Run 2 of Reader")


async def test_addresses_of_runs_lead_to_their_pages_and_to_those_of_no_other_organisation(
    world: World, window: SignedIn
) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    await report_runs(world, org, 4)
    ids = dict(await world.sql("select number, id from streams where org_id = %s", org))
    page = await window(ada, "/jobs")
    for address, number in (("nightly", 4), ("nightly@2", 2), ("nightly@k3", 3)):
        await page.goto(f"/streams/by-slug/{address}")
        await page.wait_for_url(f"**/streams/{ids[number]}")
    await page.goto("/streams/by-slug/soon")
    await expect(page.get_by_text("Nothing was reported yet")).to_be_visible()
    ((later,),) = await world.sql(
        "insert into streams (org_id, slug, name) values (%s, 'soon@a', 'Soon') returning id", org
    )
    await page.wait_for_url(f"**/streams/{later}")
    await page.goto("/jobs/streams/nothing")
    await expect(page.get_by_text("There is no such job")).to_be_visible()

    theirs = await window(eve, "/jobs")
    await expect(theirs.get_by_text("There are no such jobs yet.")).to_be_visible()
    for address in ("/jobs/streams/nightly", "/jobs/nonsense/nightly"):
        await theirs.goto(address)
        await expect(theirs.get_by_text("There is no such job")).to_be_visible()
    await theirs.goto("/streams/by-slug/nightly@2")
    await expect(theirs.get_by_text("Nothing was reported yet")).to_be_visible()


async def test_runs_are_compared_by_progress_facts_and_logs(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    await report_runs(world, org, 4)
    ids = [id for (id,) in await world.sql("select id from streams where org_id = %s order by number", org)]
    for number, host in ((1, "w1"), (2, "w2")):
        await world.sql(
            "update streams set total = 10, completed = 10, metadata = jsonb_build_object('host', %s::text, 'rows', 7) "
            "where id = %s", host, ids[number - 1],
        )  # fmt: skip
        await world.sql(
            "insert into progress_points (subject_id, at, org_id, done, whole) "
            "select id, created_at + make_interval(secs => n * 10), org_id, n, 10 "
            "from streams, generate_series(1, 5) as n where id = %s", ids[number - 1],
        )  # fmt: skip
        await world.sql(
            "insert into log_lines (org_id, run_id, level, message) values (%s, %s, 'info', %s)",
            org, ids[number - 1], f"<b>read by {host}",
        )  # fmt: skip
    page = await window(ada, "/jobs/streams/nightly")
    compare = page.get_by_test_id("compare")
    await expect(compare).to_have_attribute("aria-disabled", "true")
    for number in (2, 1):
        await page.get_by_label(f"Compare run {number}").check()
    await compare.click()
    await expect(page.get_by_role("heading", name="Compare runs")).to_be_visible()
    await expect(page.locator(".lw-comparison__line")).to_have_count(2)
    table = page.locator(".lw-comparison__table")
    await expect(table.locator("tr[data-differs]")).to_have_count(1)
    await expect(table.get_by_role("row", name="host (differs) w2 w1")).to_be_visible()
    await expect(table.get_by_role("row", name="rows 7 7")).to_be_visible()
    for host in ("w1", "w2"):
        await expect(page.get_by_text(f"<b>read by {host}")).to_be_visible()
    # It follows a run that goes on.
    await page.goto(f"/compare?runs={ids[0]},{ids[3]},nonsense,{ids[0]}")
    await expect(page.get_by_text("2 of the 4 runs in the address are compared")).to_be_visible()
    await expect(page.locator(".lw-comparison__line")).to_have_count(2)
    await world.sql("update streams set total = 10, completed = 4 where id = %s", ids[3])
    await expect(table.get_by_role("row", name="Done (differs) 10 4")).to_be_visible()

    theirs = await window(eve, f"/compare?runs={ids[0]},{ids[1]}")
    await expect(theirs.get_by_text("None of these runs is there any more")).to_be_visible()
    await theirs.goto("/compare?runs=")
    await expect(theirs.get_by_text("Nothing to compare")).to_be_visible()
