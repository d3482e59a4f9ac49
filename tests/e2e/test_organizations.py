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
