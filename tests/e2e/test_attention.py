"""Attention signals in a running app: toasts, the tab, the inbox drawer, sound, keys and settings."""

import re
from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, expect

from services.entities import Notification, SignalAlert, Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
COUNT_TONES = """() => {
    const start = OscillatorNode.prototype.start;
    window.notes = 0;
    OscillatorNode.prototype.start = function (...when) { window.notes += 1; return start.apply(this, when); };
}"""
HIDE = """() => {
    Object.defineProperty(document, "hidden", { get: () => true, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
}"""
STORM = 3000
ELEMENTS = "document.querySelectorAll('*').length"
WATCH_TOASTS = """() => {
    window.mostToasts = 0;
    const look = () => {
        window.mostToasts = Math.max(window.mostToasts, document.querySelectorAll(".lw-toast").length);
    };
    new MutationObserver(look).observe(document.querySelector(".lw-toasts"), { childList: true, subtree: true });
}"""
SHOW = """() => {
    delete document.hidden;
    document.dispatchEvent(new Event("visibilitychange"));
}"""


async def alert(
    world: World,
    org: UUID,
    to: Person,
    name: str,
    *,
    signal_strength: int = 60,
    stream_id: UUID | None = None,
    details: dict[str, Any] | None = None,
) -> SignalAlert:
    row = SignalAlert(
        org_id=org,
        user_id=to.id,
        target_name=name,
        signal_type="late",
        signal_strength=signal_strength,
        stream_id=stream_id,
        details=details or {},
    )
    await world.insert(row, by=to)
    return row


async def height(element: Locator) -> float:
    box = await element.bounding_box()
    assert box
    return box["height"]


def titled(count: int, place: str) -> str:
    return f"({count:,}) {place} · Livewatch" if count else f"{place} · Livewatch"


async def test_what_arrives_is_told_once_in_every_window_of_its_organisation_and_nowhere_else(
    world: World, window: SignedIn
) -> None:
    ours, theirs = await world.organization("Alpha works"), await world.organization("Beta works")
    ada = await world.person(ours, theirs)
    stream = Stream(org_id=ours, name="Watched")
    await world.insert(stream, by=ada)
    await alert(world, ours, ada, "There before")
    first, second = await window(ada, f"/?org={ours}"), await window(ada, f"/alerts?org={ours}")
    other = await window(ada, f"/?org={theirs}")
    await first.bring_to_front()
    toasts = first.get_by_test_id("toast")
    await expect(first).to_have_title(titled(1, "Dashboard"))
    await expect(other).to_have_title(titled(0, "Dashboard"))
    await expect(toasts).to_have_count(0)

    await alert(world, ours, ada, "Just now", signal_strength=80, stream_id=stream.id)
    for page in (first, second):
        await expect(page.get_by_test_id("toast")).to_contain_text("Just now")
    await expect(toasts.get_by_role("link")).to_have_attribute("href", f"/streams/{stream.id}")
    await expect(toasts).to_have_attribute("data-tone", "caution")
    await expect(first).to_have_title(titled(2, "Dashboard"))

    await alert(world, theirs, ada, "Of beta")
    await expect(other.get_by_test_id("toast")).to_contain_text("Of beta")
    await expect(other).to_have_title(titled(1, "Dashboard"))
    for page in (first, second):
        assert "Of beta" not in await page.content()


async def test_many_that_arrive_are_one_toast_and_are_not_told_again_after_a_break(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await window(ada, "/")
    toasts = page.get_by_test_id("toast")
    await world.sql(
        """insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength)
           select %s, %s, 'Target ' || n, 'late', 90 + n from generate_series(1, 7) as n""",
        org,
        ada.id,
    )
    await expect(toasts).to_have_count(1)
    await expect(toasts).to_contain_text("7 new alerts")
    await expect(toasts).to_have_attribute("data-tone", "critical")
    await toasts.get_by_role("button", name="Dismiss").click()

    await page.evaluate("window.socket.disconnect()")
    await page.wait_for_selector('body[data-live="disconnected"]')
    await page.evaluate("window.socket.connect()")
    await page.wait_for_selector('body[data-live="connected"]')
    await alert(world, org, ada, "The next", signal_strength=95)
    await expect(toasts).to_have_count(1)
    await expect(toasts).to_contain_text("The next")
    await expect(page).to_have_title(titled(8, "Dashboard"))


async def test_a_storm_in_a_hidden_window_is_one_toast_an_exact_count_and_no_more_elements(
    world: World, window: SignedIn
) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await window(ada, "/")
    await alert(world, org, ada, "Before")
    toasts = page.get_by_test_id("toast")
    await expect(toasts).to_contain_text("Before")
    await page.evaluate(HIDE)
    await page.evaluate(WATCH_TOASTS)
    elements = await page.evaluate(ELEMENTS)
    insert = """insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength)
                select %s, %s, 'Target ' || n, 'storm', 60 from generate_series(1, %s::integer) as n"""
    for _ in range(STORM // 100):
        await world.sql(insert, org, ada.id, 100)
    await expect(page).to_have_title(titled(STORM + 1, "Dashboard"))
    await expect(toasts).to_have_attribute("data-count", str(STORM + 1))
    await expect(toasts).to_contain_text(f"{STORM + 1:,} new alerts")
    assert await page.evaluate("window.mostToasts") == 1
    await page.evaluate(SHOW)
    bell = live(page, "inbox", "alerts+notifications", "unread")
    await expect(bell).to_have_attribute("data-value", str(STORM + 1))
    grown = await page.evaluate(ELEMENTS) - elements
    assert grown < 20, "lists keep to what they show"
    await world.sql("update signal_alerts set read_at = now() where user_id = %s", ada.id)
    await expect(page).to_have_title(titled(0, "Dashboard"))
    await expect(toasts).to_have_count(0)


async def test_what_is_read_in_one_window_is_withdrawn_from_a_hidden_one(world: World, window: SignedIn) -> None:
    ours, theirs = await world.organization("Alpha works"), await world.organization("Beta works")
    ada = await world.person(ours, theirs)
    first, second = await window(ada, f"/?org={ours}"), await window(ada, f"/alerts?org={ours}")
    await alert(world, theirs, ada, "Of beta")
    await alert(world, ours, ada, "Urgent", signal_strength=95)
    toasts = first.get_by_test_id("toast")
    await expect(toasts).to_have_count(1)
    await expect(first).to_have_title(titled(1, "Dashboard"))
    await first.evaluate(HIDE)
    await second.bring_to_front()
    await second.get_by_role("button", name="Mark all as read").click()
    await expect(first).to_have_title(titled(0, "Dashboard"))
    await expect(toasts).to_have_count(0)
    await first.evaluate(SHOW)
    await expect(live(first, "inbox", "alerts+notifications", "unread")).to_have_attribute("data-value", "0")
    unread = await world.sql("select target_name from signal_alerts where user_id = %s and read_at is null", ada.id)
    assert unread == [("Of beta",)]


async def test_the_bell_opens_an_inbox_that_every_window_shares(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    read = await alert(world, org, ada, "Read long ago")
    await world.sql("update signal_alerts set read_at = now(), detected_at = now() + '1 hour' where id = %s", read.id)
    stream = Stream(org_id=org, name="Source")
    await world.insert(stream, by=ada)
    waiting = await alert(world, org, ada, "Waiting", stream_id=stream.id)
    note = Notification(org_id=org, user_id=ada.id, title="Done", message="All good.", action_url="/monitoring/scans")
    await world.insert(note, by=ada)
    first, second = await window(ada, "/"), await window(ada, "/monitoring/alerts")

    await first.bring_to_front()
    bell = first.get_by_role("button", name="Inbox")
    await bell.click()
    inbox = first.get_by_test_id("inbox")
    lines = inbox.get_by_role("listitem")
    await expect(lines).to_have_count(2)
    await expect(lines.first).to_contain_text("Waiting")
    await lines.first.get_by_role("button", name="Mark as read").click()
    await expect(lines.first).to_contain_text("Read long ago")
    await expect(live(second, "inbox", "alerts", "unread")).to_have_attribute("data-value", "0")
    await expect(live(second, "signal_alerts", waiting.id, "is_read")).to_have_attribute("data-value", "true")

    await inbox.get_by_role("tab", name="Notifications").click()
    await expect(lines).to_have_count(1)
    await first.keyboard.press("Escape")
    await expect(inbox).to_have_count(0)
    await expect(bell).to_be_focused()

    await bell.press("Enter")
    await expect(inbox.get_by_role("tab", name="Notifications")).to_have_attribute("aria-selected", "true")
    await inbox.get_by_role("button", name="Mark all as read").click()
    await expect(live(second, "inbox", "notifications", "unread")).to_have_attribute("data-value", "0")
    await inbox.get_by_role("link", name="Done").click()
    await first.wait_for_url("**/monitoring/scans")
    await expect(inbox).to_have_count(0)

    await first.set_viewport_size({"width": 390, "height": 844})
    await bell.click()
    await expect(lines).to_have_count(2)
    await first.wait_for_function("document.querySelector('.lw-inbox').getBoundingClientRect().left === 0")
    box = await inbox.bounding_box()
    assert box
    assert (box["width"], box["height"]) == (390, 844)
    await inbox.get_by_role("link", name="Waiting").click()
    await first.wait_for_url(f"**/streams/{stream.id}")
    await first.set_viewport_size({"width": 1440, "height": 900})


async def test_inboxes_are_searched_and_filtered_by_the_address(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    for name, strength in (("torch", 95), ("numpy", 80), ("requests", 20)):
        await alert(world, org, ada, name, signal_strength=strength)
    await world.sql("update signal_alerts set read_at = now() where user_id = %s and target_name = 'torch'", ada.id)
    page = await window(ada, "/alerts?show=unread")
    lines = page.locator("[data-table=signal_alerts][role=listitem]")
    await expect(lines).to_have_count(2)
    await page.get_by_role("button", name="High").click()
    await expect(lines).to_have_count(1)
    await page.wait_for_url("**/alerts?show=unread&priority=high")
    href = await page.get_by_test_id("export").get_attribute("href")
    assert href
    exported = await (await page.request.get(href)).text()
    assert "numpy" in exported
    assert "torch" not in exported
    await page.goto("/monitoring/alerts?q=torch")
    await expect(lines).to_have_count(1)
    await expect(page.get_by_role("button", name="Mark all as read")).to_be_disabled()


async def test_marking_all_marks_what_the_filter_shows_and_can_be_undone(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    for name, strength in (("torch", 95), ("numpy", 80), ("requests", 20)):
        await alert(world, org, ada, name, signal_strength=strength)
    page = await window(ada, "/alerts?priority=urgent,high")
    unread = live(page, "inbox", "alerts", "unread")
    await expect(unread).to_have_attribute("data-value", "3")
    await page.get_by_role("button", name="Mark 2 as read").click()
    await expect(unread).to_have_attribute("data-value", "1")
    offer = page.get_by_test_id("offer")
    await expect(offer).to_contain_text("2 alerts marked as read.")
    await expect(page.get_by_test_id("mark-all")).to_be_disabled()
    await offer.get_by_role("button", name="Undo").click()
    await expect(unread).to_have_attribute("data-value", "3")
    await expect(offer).to_have_count(0)

    line = page.locator("[data-table=signal_alerts][role=listitem]", has_text="torch")
    button = line.get_by_role("button")
    await button.focus()
    await page.keyboard.press("Enter")
    await expect(unread).to_have_attribute("data-value", "2")
    await expect(button).to_be_focused()
    await expect(button).to_have_attribute("title", "Mark as unread")
    await page.keyboard.press("Enter")
    await expect(unread).to_have_attribute("data-value", "3")
    await expect(button).to_be_focused()


async def test_a_message_is_read_in_full_beside_its_list(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    page = await window(ada, "/")
    found = await alert(world, org, ada, "torch", details={"version": "2.9", "licences": ["BSD", "MIT"]})
    message = "A long message. " * 40
    note = Notification(org_id=org, user_id=ada.id, title="Done", message=message, action_url="/monitoring")
    await world.insert(note, by=ada)
    await page.get_by_test_id("toast").filter(has_text="torch").get_by_role("link").click()
    await page.wait_for_url(f"**/alerts?selected={found.id}")
    panel = page.locator(".lw-aside")
    await expect(panel.get_by_role("heading", name="Metadata")).to_be_visible()
    await expect(panel).to_contain_text("licences")
    await expect(panel).to_contain_text('"BSD"')
    row = page.locator("[data-table=signal_alerts][role=listitem]", has_text="torch")
    row_box, panel_box = await row.bounding_box(), await panel.bounding_box()
    assert row_box
    assert panel_box
    assert row_box["x"] + row_box["width"] <= panel_box["x"]
    await page.goto("/notifications")
    shown = live(page, "notifications", note.id, "message")
    await shown.focus()
    await page.keyboard.press("Enter")
    await expect(panel).to_contain_text(message.strip())
    await page.keyboard.press("Escape")
    await expect(panel).to_be_hidden()
    await expect(shown).to_be_focused()


async def test_keys_lead_around_unless_somebody_types(world: World, window: SignedIn) -> None:
    page = await window(await world.person(await world.organization()), "/")
    for key, heading in (("m", "Live Monitoring"), ("a", "Alerts"), ("n", "Notifications"), ("d", "Dashboard")):
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible()
    await page.keyboard.press("Control+g")
    await page.keyboard.press("a")
    await page.keyboard.press("?")
    help = page.get_by_test_id("help")
    await expect(help).to_contain_text("Live Monitoring")
    await page.keyboard.press("g")
    await page.keyboard.press("m")
    await page.keyboard.press("Escape")
    await expect(help).to_be_hidden()
    await expect(page.get_by_role("heading", name="Dashboard", level=1)).to_be_visible()

    await page.keyboard.press("g")
    await page.keyboard.press("m")
    search = page.get_by_test_id("search")
    await expect(search).to_be_visible()
    await page.keyboard.press("/")
    await expect(search).to_be_focused()
    await page.keyboard.type("gd?/")
    await expect(search).to_have_value("gd?/")
    await expect(help).to_be_hidden()
    await expect(page.get_by_role("heading", name="Live Monitoring")).to_be_visible()


async def test_settings_apply_at_once_and_stay(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        """update profiles set preferences = '{"theme": "pink", "density": 7, "shortcuts": true}' where user_id = %s""",
        ada.id,
    )
    await world.insert(Stream(org_id=org, name="A card"), by=ada)
    page = await window(ada, "/monitoring")
    card = page.get_by_role("listitem").first
    await expect(card).to_be_visible()
    tall = await height(card)
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await expect(page.get_by_text(f"You sign in as {ada.email}.")).to_be_visible()
    await page.get_by_role("button", name="Comfortable").focus()
    await page.keyboard.press("Tab")
    compact = page.get_by_role("button", name="Compact")
    await expect(compact).to_be_focused()
    await expect(compact).to_have_css("box-shadow", re.compile("0px 0px 0px 4px"))
    await page.keyboard.press("Enter")
    await page.get_by_role("button", name="Dark", exact=True).click()
    await page.get_by_role("switch", name="Toasts").click()
    await expect(page.locator("body.body--dark")).to_have_count(1)
    await expect(page.locator("html[data-lw-density=compact]")).to_have_count(1)
    await page.get_by_label("Display name").fill("Ada Lovelace")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("Saved.")).to_be_visible()

    other = await window(ada, "/monitoring")
    await expect(other.locator("body.body--dark")).to_have_count(1)
    await expect(other.get_by_role("button", name="Account of Ada Lovelace")).to_be_visible()
    card = other.get_by_role("listitem").first
    await expect(card).to_be_visible()
    assert await height(card) < tall - 12
    await alert(world, org, ada, "Quiet")
    await expect(other).to_have_title(titled(1, "Live Monitoring"))

    await page.reload()
    await expect(page.get_by_role("switch", name="Toasts")).to_have_attribute("aria-checked", "false")
    await expect(page.get_by_role("button", name="Compact")).to_have_attribute("aria-pressed", "true")
    await page.get_by_role("button", name="Theme: ").click()
    await expect(page.get_by_role("button", name="System", exact=True)).to_have_attribute("aria-pressed", "true")
    await expect(other.get_by_test_id("toast")).to_have_count(0)

    async def kept() -> bool:
        rows = await world.sql("select preferences ->> 'theme' from profiles where user_id = %s", ada.id)
        return bool(rows == [("auto",)])

    await until(kept, what="the theme that was switched in the header is kept")


async def test_one_window_rings_and_only_for_who_wants_it(world: World, window: SignedIn) -> None:
    org = await world.organization()
    ada = await world.person(org)
    first, second = await window(ada, "/settings"), await window(ada, "/settings")
    pages: list[Page] = [first, second]

    async def notes() -> int:
        return sum([await page.evaluate("window.notes") for page in pages])

    async def one_rang() -> bool:
        return await notes() == 2 * tone

    for page in pages:
        await page.evaluate(COUNT_TONES)
    await first.get_by_role("button", name="Try").click()
    await until(notes, what="the tone is heard")
    tone = await notes()
    await alert(world, org, ada, "Silent")
    await expect(first.get_by_test_id("toast")).to_be_visible()
    assert await notes() == tone

    await first.get_by_role("switch", name="Sound").click()
    await second.reload()
    await second.evaluate(COUNT_TONES)
    await second.get_by_role("heading", name="Settings").click()
    await alert(world, org, ada, "Loud")
    for page in pages:
        await expect(page.get_by_test_id("toast").filter(has_text="Loud")).to_be_visible()
    await until(one_rang, what="one of the two rings")
    await second.wait_for_function(
        "navigator.locks.query().then(({ held, pending }) => !held.length && !pending.length)"
    )
    assert await notes() == 2 * tone
