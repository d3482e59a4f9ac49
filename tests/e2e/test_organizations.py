"""A user of several organisations: each window keeps its own, and follows a switch only on request."""

import pytest
from playwright.async_api import Page, expect

from services.entities import Stream
from services.people.models import Role
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e
SAYS_NOTHING = """() => {
    const said = [];
    const denies = /No streams yet|0 of 0|There is no such|No matches/;
    new MutationObserver(() => {
        const found = document.body.innerText.match(denies);
        if (found) said.push(found[0]);
    }).observe(document.body, { childList: true, subtree: true, characterData: true });
    return said;
}"""


async def switch(page: Page, name: str) -> None:
    await page.get_by_test_id("organisation").click()
    await page.get_by_role("menuitemradio", name=name).click()


async def test_a_switch_stays_in_its_window_until_the_other_window_asks(world: World, window: SignedIn) -> None:
    ours, theirs = await world.organization("Alpha works"), await world.organization("Beta works")
    ada = await world.person(ours, theirs)
    alpha, beta = Stream(org_id=ours, name="Of alpha"), Stream(org_id=theirs, name="Of beta")
    for stream in (alpha, beta):
        await world.insert(stream, by=ada)
    first, second = await window(ada), await window(ada)
    await expect(live(first, "streams", alpha.id, "name")).to_be_visible()
    await expect(first).to_have_url(f"/monitoring?org={ours}")

    await switch(first, "Beta works")
    await expect(live(first, "streams", beta.id, "name")).to_be_visible()
    assert "Of alpha" not in await first.content()
    await expect(first).to_have_url(f"/monitoring?org={theirs}")

    offer = second.get_by_test_id("switched-elsewhere")
    await expect(offer).to_contain_text("Beta works")
    await expect(live(second, "streams", alpha.id, "name")).to_be_visible()
    await second.get_by_role("link", name="Agents", exact=True).click()
    await expect(second).to_have_url(f"/monitoring/agents?org={ours}")
    await second.reload()
    await expect(second.get_by_test_id("organisation")).to_contain_text("Alpha works")

    await switch(first, "Alpha works")
    await switch(first, "Beta works")
    await offer.get_by_role("button", name="Switch here too").click()
    await expect(second.get_by_test_id("organisation")).to_contain_text("Beta works")
    await expect(second).to_have_url(f"/monitoring/agents?org={theirs}")


async def test_an_address_of_somebody_elses_organisation_is_refused(world: World, window: SignedIn) -> None:
    ours, secret = await world.organization("Ours"), await world.organization("Secret works")
    eve = await world.person(ours, role=Role.ADMIN)
    page = await window(eve)
    for path in ("/monitoring", "/", "/streams/00000000-0000-4000-8000-000000000000"):
        await page.goto(f"{path}?org={secret}")
        await expect(page.get_by_role("heading", name="You have no access to this organisation")).to_be_visible()
        assert "Secret works" not in await page.content()
    answer = await page.request.get(f"/export/streams.csv?org={secret}")
    assert answer.status == 403


async def test_a_removed_member_is_told_at_once_and_led_away(world: World, window: SignedIn) -> None:
    """Whatever the page: nothing says that there is nothing, and nothing claims to be live."""
    ours, other = await world.organization("Alpha works"), await world.organization("Beta works")
    ada, eve = await world.person(ours, other), await world.person(ours)
    await world.insert(Stream(org_id=ours, name="Of alpha"), by=ada)
    led = await window(ada, f"/monitoring?org={ours}")
    lost = await window(eve, "/")
    for page, person in ((led, ada), (lost, eve)):
        denials = await page.evaluate_handle(SAYS_NOTHING)
        await world.sql("delete from org_members where org_id = %s and user_id = %s", ours, person.id)
        heading = page.get_by_role("heading", name="You are no longer a member of Alpha works")
        await expect(heading).to_be_visible()
        assert "Of alpha" not in await page.content()
        assert await page.locator("[data-live]").count() == 0
        assert await denials.json_value() == []
    await expect(led.get_by_role("link", name="Open Beta works")).to_be_visible()
    await led.wait_for_url(f"**/?org={other}")
    await expect(led.locator(".lw-crumbs")).to_contain_text("Beta works")
    await expect(lost.get_by_role("heading", name="Welcome")).to_be_visible()


async def test_the_one_organisation_of_a_person_is_no_menu(world: World, window: SignedIn) -> None:
    page = await window(await world.person(await world.organization("Only works")))
    await expect(page.locator(".lw-crumbs")).to_contain_text("Only works")
    await expect(page.get_by_test_id("organisation")).to_have_count(0)
    assert "org=" not in page.url


async def test_another_organisation_is_made_from_the_account_menu_and_from_the_menu_of_organisations(
    world: World, window: SignedIn
) -> None:
    page = await window(await world.person(await world.organization("First works")))
    await page.get_by_role("button", name="Account of").click()
    await page.get_by_text("New organisation").click()
    dialog = page.get_by_role("dialog", name="New organisation")
    await dialog.get_by_label("Name").fill("\u200b ")
    await dialog.get_by_role("button", name="Create organisation").click()
    await expect(dialog.get_by_text("Enter a name of 1 to 120 characters.")).to_be_visible()
    await dialog.get_by_label("Name").fill("שלום works")
    await dialog.get_by_label("Name").press("Enter")
    await page.wait_for_url("**/?org=*")
    await expect(page.get_by_test_id("organisation")).to_contain_text("שלום works")
    await page.get_by_test_id("organisation").click()
    await expect(page.get_by_role("menuitemradio")).to_have_count(2)
    await page.get_by_role("menuitem", name="New organisation").click()
    await dialog.get_by_label("Name").fill("Third works")
    await dialog.get_by_role("button", name="Create organisation").click()
    await expect(page.get_by_test_id("organisation")).to_contain_text("Third works")


async def test_unread_alerts_of_the_other_organisations_are_told_by_their_number_in_the_database(
    world: World, window: SignedIn
) -> None:
    here, there = await world.organization("Alpha works"), await world.organization("Beta works")
    ada, bob = await world.person(here, there), await world.person(here, there)
    insert = (
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
        "select %s, %s, 'Disk ' || n, 'disk', 50 from generate_series(1, %s) as n"
    )
    await world.sql(insert, there, ada.id, 3)
    await world.sql(insert, here, ada.id, 5)
    await world.sql(insert, there, bob.id, 7)
    page = await window(ada, f"/monitoring?org={here}")
    badge = page.get_by_test_id("unread-elsewhere")
    await expect(badge).to_have_text("3")
    await world.sql(insert, there, ada.id, 1)
    await expect(badge).to_have_text("4")
    await page.get_by_test_id("organisation").click()
    await expect(page.get_by_role("menuitemradio", name="Beta works")).to_contain_text("4")
    await expect(page.get_by_role("menuitemradio", name="Alpha works")).to_contain_text("5")
    await world.sql("update signal_alerts set read_at = now(), status = 'acknowledged' where org_id = %s", there)
    await expect(badge).to_have_count(0)
