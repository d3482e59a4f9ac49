"""Two windows of one user, and one window of a stranger."""

import pytest
from playwright.async_api import expect

from services.entities import Stream
from tests.e2e.conftest import SignedIn, live
from tests.world import World

pytestmark = pytest.mark.e2e


async def test_a_committed_change_shows_in_both_windows_and_never_to_a_stranger(world: World, window: SignedIn) -> None:
    org, other_org = await world.organization("Ours"), await world.organization("Theirs")
    ada, eve = await world.person(org), await world.person(other_org)
    first, second = await window(ada), await window(ada)
    stranger = await window(eve)

    stream = Stream(org_id=org, name="Nightly import", total=200)
    await world.insert(stream, by=ada)
    for page in (first, second):
        await expect(live(page, "streams", stream.id, "name")).to_have_text("Nightly import")

    await world.sql("update streams set completed = 85, goal_status = 'on_track' where id = %s", stream.id)
    for page in (first, second):
        await expect(live(page, "streams", stream.id, "completed")).to_have_text("85")
        await expect(live(page, "streams", stream.id, "goal_status")).to_have_attribute("data-value", "on_track")
        await expect(live(page, "stats", "active_streams", "value")).to_have_text("1")

    await world.sql("delete from streams where id = %s", stream.id)
    for page in (first, second):
        await expect(live(page, "streams", stream.id, "name")).to_have_count(0)

    marker = Stream(org_id=other_org, name="Theirs")
    await world.insert(marker, by=eve)
    await expect(live(stranger, "streams", marker.id, "name")).to_have_text("Theirs")
    assert str(stream.id) not in await stranger.content()
    assert "Nightly import" not in await stranger.content()
