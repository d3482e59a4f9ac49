"""Badges equal the database in every window of a person, after any sequence of changes."""

import random

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import SignedIn, live
from tests.world import Person, World

pytestmark = pytest.mark.e2e
OPERATIONS = 130
CHECKED_EVERY = 13
INSERTS = {
    "signal_alerts": "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
    "select org_id, user_id, 'Target', 'late', 80 from org_members where user_id = %s",
    "notifications": "insert into notifications (org_id, user_id, title) "
    "select org_id, user_id, 'Title' from org_members where user_id = %s",
}
CHANGES = (
    "update {table} set read_at = now() where id in ({some})",
    "update {table} set read_at = null where id in ({some})",
    "delete from {table} where id in ({some})",
)
BADGES = {"alerts": "signal_alerts", "notifications": "notifications"}


async def operate(world: World, person: Person, chance: random.Random) -> None:
    """Insert a row twice as often as marking one to three as read or unread, or deleting them."""
    table = chance.choice(sorted(INSERTS))
    if chance.random() < 2 / 3:
        await world.sql(INSERTS[table], person.id)
        return
    some = f"select id from {table} where user_id = %s order by md5(id::text || %s) limit %s"
    statement = chance.choice(CHANGES).format(table=table, some=some)
    await world.sql(statement, person.id, str(chance.random()), chance.randint(1, 3))


async def equal_the_database(world: World, person: Person, pages: list[Page]) -> None:
    for badge, table in BADGES.items():
        ((unread,),) = await world.sql(
            f"select count(*) from {table} where user_id = %s and read_at is null", person.id
        )
        for page in pages:
            await expect(live(page, "inbox", badge, "unread")).to_have_attribute("data-value", str(unread))


async def test_badges_of_two_windows_equal_the_database_after_random_operations(world: World, window: SignedIn) -> None:
    person = await world.person(await world.organization())
    pages = [await window(person, path) for path in ("/alerts", "/monitoring")]
    chance = random.Random(7)
    for number in range(1, OPERATIONS + 1):
        await operate(world, person, chance)
        if number % CHECKED_EVERY == 0:
            await equal_the_database(world, person, pages)
