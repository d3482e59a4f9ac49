"""Details of a run or scan: by click, by link, through back and forward, and during changes."""

import pytest
from playwright.async_api import expect

from services.entities import AcquisitionScan, AgentExecution, AgentStatus, ScanStatus, Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_a_run_is_selected_by_a_click_and_by_its_link_and_lives(world: World, window: SignedIn) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    stream = Stream(org_id=org, name="Nightly import")
    await world.insert(stream, by=ada)
    runs = [
        AgentExecution(org_id=org, stream_id=stream.id, agent_id="reader", agent_name=f"Reader {n}") for n in range(3)
    ]
    for run in runs:
        await world.insert(run, by=ada)
    page = await window(ada, "/monitoring/agents?status=pending")
    await page.get_by_role("link", name="Reader 1").click()
    details = page.get_by_role("complementary", name="Details of the run")
    await expect(details.get_by_role("heading", name="Reader 1")).to_be_visible()
    await expect(page).to_have_url(f"/monitoring/agents?status=pending&selected={runs[1].id}")
    await expect(page.locator(f'[data-id="{runs[1].id}"][role="listitem"]')).to_have_attribute("aria-current", "true")
    await expect(details.locator('[data-field="agent_id"]')).to_have_text("reader")
    await expect(details.get_by_role("link", name="Open its stream")).to_have_attribute("href", f"/streams/{stream.id}")

    await world.sql(
        "update agent_executions set status = 'running', started_at = now(), input_summary = '12 pages' where id = %s",
        runs[1].id,
    )
    await expect(live(page, "agent_executions-details", "row", "status")).to_have_attribute(
        "data-value", AgentStatus.RUNNING
    )
    await expect(details.get_by_text("12 pages")).to_be_visible()
    await world.sql(
        "update agent_executions set status = 'failed', completed_at = now(), error = 'no disk left' where id = %s",
        runs[1].id,
    )
    await expect(details.get_by_text("no disk left")).to_be_visible()
    await expect(details.get_by_role("region", name="History").get_by_role("listitem")).to_have_count(2)

    link = page.url
    await page.keyboard.press("Escape")
    await expect(details).to_be_hidden()
    await expect(page).to_have_url("/monitoring/agents?status=pending")
    await page.go_back()
    await expect(details.get_by_role("heading", name="Reader 1")).to_be_visible()
    pasted = await window(ada, link)
    await expect(pasted.get_by_role("heading", name="Reader 1")).to_be_visible()

    stranger = await window(eve, f"/monitoring/agents?selected={runs[1].id}")
    await expect(stranger.get_by_role("heading", name="There is no such run")).to_be_visible()
    assert "Reader" not in await stranger.content()


async def test_a_scan_shows_its_steps_and_a_bad_id_is_said(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    scan = AcquisitionScan(
        org_id=org, name="Companies", status=ScanStatus.SCANNING, steps=["find", "read", "rank"], current_step="read"
    )
    await world.insert(scan, by=ada)
    page = await window(ada, f"/monitoring/scans?selected={scan.id}")
    details = page.get_by_role("complementary", name="Details of the scan")
    await expect(details.locator('li[aria-current="step"]')).to_have_text("read")
    await world.sql("update acquisition_scans set current_step = 'rank' where id = %s", scan.id)
    await expect(details.locator('li[aria-current="step"]')).to_have_text("rank")
    await world.sql("delete from acquisition_scans where id = %s", scan.id)
    await expect(details.get_by_role("heading", name="There is no such scan")).to_be_visible()
    await expect(live(page, "acquisition_scans", scan.id, "name")).to_have_count(0)
    for bad in ("nonsense", "<script>alert(1)</script>", "0" * 400):
        await page.goto(f"/monitoring/scans?selected={bad}")
        await expect(details.get_by_role("heading", name="There is no such scan")).to_be_visible()
