"""The environment and the tags of a run on the page."""

import json
from typing import Any

import pytest
from playwright.async_api import expect

from services.entities import GoalStatus, Stream
from tests.e2e.conftest import SignedIn
from tests.world import World

pytestmark = pytest.mark.e2e
ENVIRONMENT: dict[str, Any] = {
    "host": "w3",
    "command": "/srv/jobs/nightly.py",
    "python": "3.12.4 (CPython)",
    "git": {"commit": "3f2a9c01d4e5f6a7", "branch": "main", "is_dirty": True, "remote": "https://example.org/a.git"},
    "packages": {"numpy": "2.1.0", "<b>bold</b>": "1.0"},
}


async def say(world: World, stream: Stream, environment: dict[str, Any]) -> None:
    await world.sql(
        "insert into run_environments (run_id, org_id, kind, content) values (%s, %s, 'streams', %s::jsonb)",
        stream.id, stream.org_id, json.dumps(environment),
    )  # fmt: skip


@pytest.mark.lasting
async def test_a_stream_tells_its_environment_when_it_is_opened(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    told, silent = (Stream(org_id=org, name=name, goal_status=GoalStatus.ON_TRACK) for name in ("Told", "Silent"))
    for stream in (told, silent):
        await world.insert(stream, by=ada)
    page = await window(ada, f"/streams/{told.id}")
    section = page.get_by_test_id("environment")
    await expect(section.get_by_text("w3", exact=True)).to_have_count(0)
    # Afterwards, so that only a reading at the opening finds it.
    await say(world, told, ENVIRONMENT)
    await section.get_by_text("Environment", exact=True).click()
    await expect(section).to_contain_text("w3")
    await expect(section).to_contain_text("3f2a9c01d4e5 on main, with uncommitted changes")
    packages = section.get_by_text("numpy")
    await expect(packages).to_be_hidden()
    await section.get_by_text("2 packages").click()
    await expect(packages).to_be_visible()
    await expect(section).to_contain_text("<b>bold</b>")
    await page.goto(f"/streams/{silent.id}")
    await section.get_by_text("Environment", exact=True).click()
    await expect(section).to_contain_text("said nothing")


@pytest.mark.lasting
async def test_a_list_is_filtered_by_a_tag(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    for name, tags in (("Backup", ["nightly", "eu"]), ("Import", ["nightly"]), ("Report", [])):
        await world.insert(Stream(org_id=org, name=name, tags=tags), by=ada)
    page = await window(ada, "/monitoring")
    await expect(page.locator(".lw-card")).to_have_count(3)
    await page.locator("select", has=page.locator("option", has_text="Tag: all")).select_option("eu")
    await expect(page.locator(".lw-card")).to_have_count(1)
    await expect(page.locator(".lw-card")).to_contain_text("Backup")
    await page.wait_for_url("**/monitoring?*tag=eu*")
