"""Connecting code: from creating a key to the first report."""

from datetime import timedelta

import httpx
import pytest
from playwright.async_api import Page, expect

from services.ingest.administration import create_key
from services.people.models import Role
from tests.app_process import AppProcess
from tests.e2e.conftest import SignedIn
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.e2e


async def code(page: Page, key: str) -> str:
    await page.get_by_test_id(f"tab-{key}").click()
    return await page.get_by_test_id(f"code-{key}").inner_text()


def value_of(snippet: str, name: str) -> str:
    return snippet.split(f"{name}=", 1)[1].split("\n", 1)[0].strip()


async def test_who_copies_a_line_of_the_page_sees_it_turn_green(
    world: World, window: SignedIn, app: AppProcess
) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    page = await window(ada, "/connect")
    first = page.get_by_test_id("first-report")
    await expect(first).to_have_attribute("data-value", "false")
    assert "lw_…" in await code(page, "curl")
    await page.get_by_role("button", name="Create key").click()
    await expect(page.get_by_text("The key is in the snippets below.")).to_be_visible()
    snippet = await code(page, "loop")
    address, token = value_of(snippet, "LIVEWATCH_URL"), value_of(snippet, "LIVEWATCH_KEY")
    assert address == app.url
    curl = await code(page, "curl")
    assert f"{app.url}/api/v1/streams/hello" in curl
    assert f"Bearer {token}'" in curl
    async with httpx.AsyncClient(
        base_url=address, headers={"Authorization": f"Bearer {token}"}, timeout=deadline(10)
    ) as http:
        answer = await http.put("/api/v1/streams/hello", json={"name": "Hello", "total": 10, "advance": 1})
    assert answer.status_code == 201
    await expect(first).to_have_attribute("data-value", "true")
    await expect(first).to_contain_text("First report received: Hello")
    await first.get_by_role("link", name="Hello").click()
    await expect(page).to_have_url(f"{app.url}/streams/{answer.json()['id']}")
    assert token not in await page.content()


async def test_a_key_is_shown_once_used_and_revoked(world: World, window: SignedIn, app: AppProcess) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    page = await window(ada, "/settings")
    await expect(page.get_by_text("There are no keys yet.")).to_be_visible()
    await page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_text("Enter a name of 1 to 120 characters.")).to_be_visible()
    await dialog.get_by_label("Name").fill("\u202e\u200b")
    await dialog.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_text("Enter a name of 1 to 120 characters.")).to_be_visible()
    await dialog.get_by_label("Name").fill("Nightly jobs")
    await dialog.get_by_role("checkbox", name="Notifications").click()
    await dialog.get_by_role("button", name="Create key").click()
    await expect(dialog.get_by_text("it is not shown again")).to_be_visible()
    token = await dialog.get_by_test_id("code-text").inner_text()
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await dialog.get_by_role("button", name="Copy: The new key").click()
    await expect(dialog.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == token
    await dialog.get_by_role("button", name="Done").click()
    await expect(dialog).to_have_count(0)
    assert token not in await page.content()

    row = page.get_by_test_id(f"key-{token.split('_')[1]}")
    await expect(row).to_contain_text("Nightly jobs")
    await expect(row).to_contain_text("runs, alerts")
    await expect(row).to_contain_text("Never used")
    async with httpx.AsyncClient(
        base_url=app.url, headers={"Authorization": f"Bearer {token}"}, timeout=deadline(10)
    ) as http:
        me = (await http.get("/api/v1/me")).json()
        assert (me["key"]["name"], me["scopes"]) == ("Nightly jobs", ["alerts", "runs"])
        await page.reload()
        await expect(row).to_contain_text("from 127.0.0.1")
        await row.get_by_role("button", name="Revoke Nightly jobs").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
        await expect(row).to_contain_text("Revoked")

        async def is_refused() -> bool:
            return (await http.get("/api/v1/me")).status_code == 401

        await until(is_refused, within=5)


async def test_a_key_is_replaced_and_both_work_for_a_while(world: World, window: SignedIn, app: AppProcess) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    earlier = await create_key(
        world.database, ada.identity, org, name="Nightly \u202ejobs", lifetime=timedelta(days=30)
    )
    page = await window(ada, "/settings")
    await expect(page.locator(".lw-key")).to_contain_text("Expires in")
    await page.get_by_role("button", name="Replace Nightly").click()
    dialog = page.get_by_role("dialog", name="Replace key")
    await dialog.get_by_label("The present key ends").click()
    await page.get_by_role("option", name="In an hour").click()
    await dialog.get_by_role("button", name="Replace key").click()
    token = await page.get_by_test_id("code-text").inner_text()
    await page.get_by_role("button", name="Done").click()
    await expect(page.locator(".lw-key", has_text="Expires in")).to_have_count(1)
    await expect(page.locator(".lw-key")).to_have_count(2)
    for each in (token, earlier.token.get_secret_value()):
        async with httpx.AsyncClient(base_url=app.url, headers={"Authorization": f"Bearer {each}"}) as http:
            assert (await http.get("/api/v1/me", timeout=deadline(10))).status_code == 200
    await world.sql("update ingest_keys set expires_at = now() where id = %s", earlier.id)
    await page.reload()
    await expect(page.locator(".lw-key--over")).to_contain_text("Expired")


async def test_an_admin_says_how_long_things_are_kept(world: World, window: SignedIn) -> None:
    org = await world.organization()
    page = await window(await world.person(org, role=Role.ADMIN), "/settings")
    runs = page.get_by_label("Runs", exact=True)
    await expect(page.get_by_text("90 days").first).to_be_visible()
    await runs.click()
    await page.get_by_role("option", name="1 week").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    assert await world.sql("select runs_days, alerts_days, events_days from retention where org_id = %s", org) == [
        (7, 90, 30)
    ]
    await world.sql("update retention set events_days = 12, alerts_days = null where org_id = %s", org)
    await page.reload()
    for told in ("1 week", "Forever", "12 days"):
        await expect(page.get_by_text(told).first).to_be_visible()


async def test_who_is_no_admin_neither_sees_nor_makes_keys(world: World, window: SignedIn) -> None:
    org = await world.organization()
    await world.person(org, role=Role.ADMIN)
    bob = await world.person(org, role=Role.OPERATOR)
    page = await window(bob, "/connect")
    await expect(page.get_by_text("Only admins of the organisation create keys.")).to_be_visible()
    await expect(page.get_by_role("button", name="Create key")).to_have_count(0)
    await page.goto("/settings")
    await expect(page.get_by_text("Admins of the organisation create keys here.")).to_be_visible()
    await expect(page.get_by_role("button", name="New key")).to_have_count(0)
    await expect(page.get_by_role("heading", name="Data retention")).to_have_count(0)


async def test_the_page_is_led_to_and_tells_of_no_other_organisations_reports(
    world: World, window: SignedIn, app: AppProcess
) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve, bob = await world.person(ours, role=Role.ADMIN), await world.person(theirs, role=Role.ADMIN)
    other = await window(bob, "/connect")
    await other.get_by_role("button", name="Create key").click()
    await expect(other.get_by_text("The key is in the snippets below.")).to_be_visible()
    token = value_of(await code(other, "command"), "LIVEWATCH_KEY")
    page = await window(eve, "/monitoring")
    await page.locator(".lw-list, .lw-main").get_by_role("link", name="Connect your code").first.click()
    await expect(page.get_by_role("heading", name="Connect your code")).to_be_visible()
    async with httpx.AsyncClient(
        base_url=app.url, headers={"Authorization": f"Bearer {token}"}, timeout=deadline(10)
    ) as http:
        await http.put("/api/v1/streams/secret")
    await expect(other.get_by_test_id("first-report")).to_have_attribute("data-value", "true")
    await expect(page.get_by_test_id("first-report")).to_have_attribute("data-value", "false")
    await page.goto("/settings")
    await expect(page.get_by_text("There are no keys yet.")).to_be_visible()
