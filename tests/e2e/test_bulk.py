"""Actions on chosen rows: from the keyboard, tags, exports, alerts, and deletions with undo."""

import csv
import io
import json
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from services.entities import GoalStatus, Stream
from services.people.models import Role
from tests.e2e.conftest import SignedIn
from tests.speed import milliseconds
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e


async def streams_of(world: World, person: Person, org: UUID, *names: str, tags: tuple[str, ...] = ()) -> None:
    """Insert finished streams, the first named one newest."""
    for name in reversed(names):
        stream = Stream(org_id=org, name=name, goal_status=GoalStatus.COMPLETED, tags=list(tags))
        await world.insert(stream, by=person)


async def choose(page: Page, *names: str) -> None:
    for name in names:
        await page.get_by_role("checkbox", name=f"Select {name}", exact=True).click()
    await expect(page.get_by_test_id("selection")).to_contain_text(f"{len(names)} selected")


async def tags_of(world: World, org: UUID) -> dict[str, list[str]]:
    return dict(await world.sql("select name, tags from streams where org_id = %s", org))


async def test_chosen_rows_are_archived_tagged_and_deleted_by_a_key(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await streams_of(world, ada, org, "Ape", "Bee", "Cat")
    page = await window(ada, "/monitoring")
    bar, offers, cards = page.get_by_test_id("selection"), page.get_by_test_id("offer"), page.locator(".lw-card")
    await page.get_by_role("link", name="Ape").focus()
    await page.keyboard.press("e")  # nothing is chosen
    await page.keyboard.press("Space")
    await page.keyboard.press("Shift+ArrowDown")
    await page.keyboard.press("Shift+ArrowDown")
    await expect(bar).to_contain_text("3 selected")
    await page.keyboard.press("Shift+ArrowUp")
    await expect(bar).to_contain_text("2 selected")
    await page.keyboard.press("e")
    await expect(cards).to_have_count(1)
    await expect(page.get_by_role("link", name="Cat", exact=True)).to_be_focused()
    await expect(offers).to_be_visible()
    await page.keyboard.press("z")
    await expect(cards).to_have_count(3)
    await page.get_by_role("link", name="Bee").focus()
    await page.keyboard.press("x")
    await page.keyboard.press("t")
    await page.get_by_test_id("tag-input").press_sequentially("extra e#")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Enter")
    await expect(offers.get_by_text("1 stream tagged.")).to_be_visible()
    assert await tags_of(world, org) == {"Ape": [], "Bee": ["extra e#"], "Cat": []}
    await page.get_by_role("link", name="Cat", exact=True).focus()
    await page.keyboard.press("x")
    await page.get_by_test_id("search").press_sequentially("e#")  # a key that is typed does nothing to the rows
    await expect(cards).to_have_count(1)
    await page.get_by_test_id("search").fill("")
    await expect(cards).to_have_count(3)
    await page.get_by_role("link", name="Ape").focus()
    await page.keyboard.press("x")
    await page.keyboard.press("Delete")
    await page.keyboard.press("Delete")  # twice by mistake
    await expect(offers.get_by_text("1 stream will be deleted")).to_be_visible()
    assert len(await world.sql("select id from private.pending_deletions where org_id = %s", org)) == 1
    assert await world.sql("select id from streams where org_id = %s and archived_at is not null", org) == []


async def test_tags_that_some_have_are_given_to_all_and_taken_from_all_with_undo(
    world: World, window: SignedIn
) -> None:
    org, other = await world.organization(), await world.organization()
    ada, viewer = await world.person(org), await world.person(org, role=Role.VIEWER)
    await streams_of(world, ada, org, "Ape", tags=("all", "some"))
    await streams_of(world, ada, org, "Bee", tags=("all",))
    await streams_of(world, ada, org, "Cat", tags=("offered",))
    eve = await world.person(other)
    await streams_of(world, eve, other, "Elsewhere", tags=("secret",))
    second = await window(viewer, "/monitoring")
    page = await window(ada, "/monitoring")
    await choose(page, "Ape", "Bee")
    await page.get_by_test_id("selection").get_by_role("button", name="Tag").click()
    dialog = page.get_by_test_id("tags")
    boxes = {name: dialog.get_by_role("checkbox", name=name) for name in ("all", "some", "offered")}
    await expect(boxes["all"]).to_be_checked()
    await expect(boxes["some"]).to_have_js_property("indeterminate", True)
    await expect(boxes["offered"]).not_to_be_checked()
    await expect(dialog.get_by_text("secret")).to_have_count(0)
    await boxes["all"].click()
    await boxes["some"].click()
    await dialog.get_by_test_id("tag-input").fill("OFFERED, new")
    await page.keyboard.press("Enter")
    await expect(boxes["offered"]).to_be_checked()
    await dialog.get_by_role("button", name="Apply").click()
    card = second.locator(".lw-card", has_text="Bee")
    await expect(card.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["some", "offered", "new"])
    await page.get_by_test_id("offer").get_by_role("button", name="Undo").click()
    await expect(card.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["all"])
    assert await tags_of(world, org) == {"Ape": ["all", "some"], "Bee": ["all"], "Cat": ["offered"]}
    await second.goto("/monitoring?q=offered")
    await expect(second.locator(".lw-card")).to_have_count(1)
    await expect(second.locator(".lw-card")).to_contain_text("Cat")


async def test_a_deletion_is_taken_back_for_everybody(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    await streams_of(world, ada, org, "Ape", "Bee", "Cat")
    other = await window(ben, "/monitoring")
    page = await window(ada, "/monitoring")
    await choose(page, "Ape", "Cat")
    await page.get_by_test_id("selection").get_by_role("button", name="Delete").click()
    await expect(page.get_by_test_id("offer")).to_contain_text("2 streams will be deleted")
    await expect(page.locator(".lw-leaving")).to_have_count(2)
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_text("2 streams kept.")).to_be_visible()
    await expect(page.locator(".lw-leaving")).to_have_count(0)
    assert await world.sql("select id from private.pending_deletions where org_id = %s", org) == []
    await other.reload()
    await expect(other.locator(".lw-card")).to_have_count(3)
    await page.bring_to_front()
    await choose(page, "Bee")
    await page.get_by_test_id("selection").get_by_role("button", name="Archive").focus()
    await page.keyboard.press("Escape")
    await expect(page.get_by_test_id("selection")).to_be_hidden()
    await choose(page, "Bee")
    await page.get_by_role("link", name="Bee").focus()
    await page.keyboard.press("g")
    await page.keyboard.press("t")  # leads to the chat, and tags nothing
    await page.wait_for_url("**/chat")
    await expect(page.get_by_test_id("tags")).to_have_count(0)


@pytest.mark.lasting
async def test_what_was_deleted_goes_although_its_window_is_gone(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    await streams_of(world, ada, org, "Ape", "Bee")
    other = await window(ben, "/monitoring")
    page = await window(ada, "/monitoring")
    await choose(page, "Ape")
    await page.get_by_test_id("selection").get_by_role("button", name="Delete").click()
    await expect(page.get_by_test_id("offer")).to_contain_text("1 stream will be deleted")
    await page.goto("about:blank")
    await other.bring_to_front()
    await expect(other.locator(".lw-card")).to_have_count(2)
    await expect(other.locator(".lw-card")).to_have_count(1, timeout=milliseconds(25))
    assert await world.sql("select name from streams where org_id = %s", org) == [("Bee",)]


async def test_more_than_fifty_are_asked_about(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into streams (org_id, name, goal_status) "
        "select %s, 's' || n, 'completed' from generate_series(1, 51) as n",
        org,
    )
    page = await window(ada, "/monitoring")
    await expect(page.locator(".lw-card")).to_have_count(51)
    await page.locator(".lw-card a").first.focus()
    await page.keyboard.press("Control+a")
    await expect(page.get_by_test_id("selection")).to_contain_text("51 selected")
    await page.keyboard.press("#")
    dialog = page.get_by_test_id("confirm")
    await expect(dialog.get_by_role("heading")).to_have_text("Delete 51 streams?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_test_id("selection")).to_contain_text("51 selected")
    await page.get_by_test_id("selection").get_by_role("button", name="Archive").click()
    await dialog.get_by_role("button", name="Archive", exact=True).click()
    await expect(page.locator(".lw-card")).to_have_count(0)
    await page.get_by_test_id("offer").get_by_role("button", name="Undo").click()
    await expect(page.locator(".lw-card")).to_have_count(51)


async def test_an_export_of_a_selection_is_the_chosen_rows(world: World, window: SignedIn, tmp_path: Path) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await streams_of(world, ada, org, "Ape", "=Bee", "Cat", "Dog", tags=("a", "b"))
    page = await window(ada, "/monitoring")
    await choose(page, "Dog", "=Bee")
    stored = await world.sql(
        "select id::text, name, tags from streams where org_id = %s and name in ('=Bee', 'Dog') order by name", org
    )
    files: dict[str, Path] = {}
    for kind in ("CSV", "JSON"):
        await page.get_by_test_id("selection-more").click()
        async with page.expect_download() as download:
            await page.get_by_text(f"Export as {kind}", exact=True).click()
        file = await download.value
        assert file.suggested_filename.startswith("streams-"), file.suggested_filename
        await file.save_as(files.setdefault(kind, tmp_path / kind))
    found = json.loads(files["JSON"].read_text())
    assert [(row["id"], row["name"], row["tags"]) for row in found] == stored
    table = list(csv.DictReader(io.StringIO(files["CSV"].read_text("utf-8-sig"))))
    assert [(row["id"], row["name"].removeprefix("'"), json.loads(row["tags"])) for row in table] == stored
    await expect(page.get_by_test_id("selection")).to_contain_text("2 selected")


async def test_chosen_alerts_are_acknowledged_and_dismissed_with_undo(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.VIEWER)
    for name in ("Ape", "Bee", "Cat"):
        await world.sql(
            "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
            "values (%s, %s, %s, 'm', 60)",
            org, ada.id, name,
        )  # fmt: skip
    page = await window(ada, "/alerts")
    bar, offer, unread = (
        page.get_by_test_id("selection"),
        page.get_by_test_id("offer"),
        page.locator(".lw-line--unread"),
    )
    await expect(unread).to_have_count(3)
    await choose(page, "Ape", "Cat")
    await bar.get_by_role("button", name="Dismiss").click()
    await expect(unread).to_have_count(1)
    await expect(offer).to_contain_text("2 alerts dismissed.")
    await offer.get_by_role("button", name="Undo").click()
    await expect(unread).to_have_count(3)
    await page.locator(".lw-line a").first.focus()
    await page.keyboard.press("x")
    await page.keyboard.press("m")
    await expect(unread).to_have_count(2)
    await expect(offer).to_contain_text("1 alert acknowledged.")

    async def is_acknowledged() -> bool:
        rows = await world.sql("select status from signal_alerts where org_id = %s order by status", org)
        return [row[0] for row in rows] == ["acknowledged", "new", "new"]

    await until(is_acknowledged)


async def test_agent_runs_and_scans_are_tagged_like_streams(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql("insert into streams (org_id, name, tags) values (%s, 's', array['billing'])", org)
    await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "select org_id, id, 'a', 'Reader', 'completed' from streams where org_id = %s",
        org,
    )
    await world.sql("insert into acquisition_scans (org_id, name, status) values (%s, 'Reader', 'scanning')", org)
    for tab in ("agents", "scans"):
        page = await window(ada, f"/monitoring/{tab}")
        await page.get_by_role("link", name="Reader").focus()
        await page.keyboard.press("x")
        await page.keyboard.press("t")
        await page.get_by_test_id("tags").get_by_role("checkbox", name="billing").click()
        await page.get_by_test_id("tags").get_by_role("button", name="Apply").click()
        await expect(page.get_by_role("list", name="Tags").get_by_role("listitem")).to_have_text(["billing"])
    for table in ("agent_executions", "acquisition_scans"):
        assert await world.sql(f"select tags from {table} where org_id = %s", org) == [(["billing"],)]
