"""A user of several organisations: each window keeps its own, and follows a switch only on request."""

import pytest
from playwright.async_api import Page, expect

from services.entities import Stream
from services.people.models import Role
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e


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


async def test_the_one_organisation_of_a_person_is_no_menu(world: World, window: SignedIn) -> None:
    page = await window(await world.person(await world.organization("Only works")))
    await expect(page.locator(".lw-crumbs")).to_contain_text("Only works")
    await expect(page.get_by_test_id("organisation")).to_have_count(0)
    assert "org=" not in page.url
