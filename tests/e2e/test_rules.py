"""Rules and channels: written on their page, and told in another person's window."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect

from services.ingest import REPORTING
from services.ingest.administration import create_key
from services.people.models import Role
from services.rules.rule import Rule
from services.rules.rules import put_rule
from tests.app_process import AppProcess
from tests.e2e.conftest import SignedIn
from tests.speed import milliseconds
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
BEAT_SECONDS = 1
# A program whose silence is noticed after three seconds, not thirty.
PROGRAM = f"""
import sys, time
import livewatch
from livewatch.delivery.heartbeats import Heartbeats
made = Heartbeats.__init__
quick = {{"interval_seconds": {BEAT_SECONDS}.0}}
Heartbeats.__init__ = lambda beats, runs, **given: made(beats, runs, **{{**given, **quick}})
with livewatch.run("Nightly", slug="nightly", total=10) as run:
    run.advance(1)
    time.sleep(600)
"""


@asynccontextmanager
async def program(app: AppProcess, world: World, admin: Person, org: UUID) -> AsyncIterator[asyncio.subprocess.Process]:
    """Yield a program that reports a run until it is killed."""
    key = await create_key(world.database, admin.identity, org, name="nightly", scopes=REPORTING)
    settings = {
        "LIVEWATCH_URL": app.url,
        "LIVEWATCH_KEY": key.token.get_secret_value(),
        "LIVEWATCH_SPOOL": "off",
        "PYTHONPATH": str(Path(__file__).parents[2] / "sdk"),
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, env={**os.environ, **settings})
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_killed_program_is_told_on_another_persons_phone_and_so_is_its_return(
    app: AppProcess, world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org, role=Role.VIEWER)
    await world.sql("update rules set is_enabled = false where org_id = %s", org)
    given = {"name": "Silence", "events": ["unreachable"], "roles": ["viewer"], "pace": "at_once"}
    await put_rule(world.database, ada.identity, org, Rule.parse(given))
    phone = await window(bob, "/notifications")
    await phone.set_viewport_size({"width": 390, "height": 844})
    async with program(app, world, ada, org) as process:
        beating = "select 1 from streams where org_id = %s and heartbeat_interval = %s and completed = 1"
        await until(lambda: world.sql(beating, org, BEAT_SECONDS), within=20, what="a report of the program")
        found = phone.locator('[data-table="notifications"]')
        for number, silencing in enumerate((signal.SIGSTOP, signal.SIGKILL), 1):
            process.send_signal(silencing)
            silent = found.filter(has_text="Nightly is unreachable").filter(has=phone.locator("[data-field=title]"))
            await expect(silent).to_have_count(number, timeout=milliseconds(3 * BEAT_SECONDS + 5))
            if silencing is signal.SIGSTOP:
                process.send_signal(signal.SIGCONT)
                back = found.filter(has_text="Nightly is back")
                await expect(back.first).to_be_visible(timeout=milliseconds(10))


async def test_a_rule_is_tried_and_written_and_a_channel_tested(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    await world.sql(
        "insert into streams (org_id, name, slug, goal_status) values (%s, 'Import', 'import', 'blocked')", org
    )
    page = await window(ada, "/settings/rules")
    rules, channels = page.get_by_test_id("rules"), page.get_by_test_id("channels")
    await expect(rules).to_contain_text("Failed and silent runs")
    await page.get_by_role("button", name="New channel").click()
    await page.get_by_label("Name", exact=True).fill('"><img src=x onerror=alert(1)>')
    await page.get_by_label("Address").fill("file:///etc/passwd")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".q-notification")).to_contain_text("begins with file:")
    await page.get_by_label("Address").fill("https://127.0.0.1/in")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("dialog")).to_contain_text("whsec_")
    await page.get_by_role("button", name="Done").click()
    await channels.get_by_role("button", name='Actions of "><img').click()
    await page.get_by_text("Send a test").click()
    await expect(page.locator(".q-notification").last).to_contain_text("private network")
    await page.get_by_role("button", name="New rule").click()
    await page.get_by_label("Name", exact=True).fill("All failures")
    await page.get_by_label("Quiet hours, such as").fill("25 o'clock")
    await page.get_by_role("button", name="Try on the last 7 days").click()
    await expect(page.get_by_test_id("trial")).to_contain_text("not written like 22:00-07:00")
    await page.get_by_label("Quiet hours, such as").fill("22:00-07:00")
    await page.get_by_role("button", name="Try on the last 7 days").click()
    await expect(page.get_by_test_id("trial")).to_contain_text(
        "It would have fired once in the last 7 days: Import failed"
    )
    await page.get_by_role("button", name="Save").click()
    await expect(rules).to_contain_text("All failures")
    await expect(rules).to_contain_text("not between 22:00 and 07:00 (UTC)")
    await rules.get_by_role("button", name="Actions of All failures").click()
    await page.get_by_text("Snooze for 8 hours").click()
    await expect(rules).to_contain_text("Snoozed until")
    found = await Axe().run(page)
    assert not [each for each in found.response["violations"] if each["impact"] in ("serious", "critical")]


async def test_fields_come_with_their_event_and_a_message_is_previewed(world: World, window: SignedIn) -> None:
    org = await world.organization("Acme")
    ada = await world.person(org, role=Role.ADMIN)
    await world.sql("insert into streams (org_id, name, slug, tags) values (%s, 'Import', 'import', '{prod}')", org)
    page = await window(ada, "/settings/rules")
    await page.get_by_role("button", name="New rule").click()
    times, priority = page.get_by_label("Times its usual duration"), page.get_by_label("Alerts from priority")
    await expect(page.get_by_label("Name", exact=True)).to_be_visible()
    for field in (times, priority, page.get_by_label("Agents; none for any"), page.get_by_label("Time zone")):
        await expect(field).to_be_hidden()
    await page.get_by_label("When a run is").click()
    await page.get_by_role("option", name="Longer than a number of times usual").click()
    await page.keyboard.press("Escape")
    await expect(times).to_have_value("3")
    await times.fill("1e308")
    await page.get_by_label("Name", exact=True).fill("Too long")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_test_id("trial")).to_contain_text("a number from 1.1 to 100, not “1e308”")
    await times.fill("2.5")
    await page.get_by_label("Tags, one of which").fill("prod")
    await page.get_by_label("Job, by its slug").fill("import")
    await page.get_by_role("button", name="Show what this matches").click()
    link = page.get_by_test_id("matches").get_by_role("link", name="Streams")
    async with page.context.expect_page() as opened:
        await link.click()
    listed = await opened.value
    await expect(listed.get_by_role("link", name="Import")).to_be_visible()
    await listed.close()
    await page.get_by_text("Word the messages yourself").click()
    await page.get_by_label("Title; empty for").fill("[$organization] $run <b>$nme</b>")
    preview = page.get_by_test_id("preview")
    await expect(preview).to_contain_text("“$nme” in the template of the title is no placeholder")
    await page.get_by_label("Title; empty for").fill("[$organization] <b>$run</b>")
    await expect(preview).to_contain_text("[Acme] <b>Nightly import</b>")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_test_id("rules")).to_contain_text("longer than 2.5 times usual of the job import")


async def test_a_viewer_sees_rules_and_changes_nothing(world: World, window: SignedIn) -> None:
    org = await world.organization()
    page = await window(await world.person(org, role=Role.VIEWER), "/settings/rules")
    await expect(page.get_by_test_id("rules")).to_contain_text("Failed and silent runs")
    await expect(page.get_by_test_id("channels")).to_contain_text("No channels")
    await expect(page.get_by_role("button", name="New rule")).to_have_count(0)
    await expect(page.get_by_role("button", name="New channel")).to_have_count(0)
    await expect(page.get_by_role("button", name="Actions of")).to_have_count(0)
