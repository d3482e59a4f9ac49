"""Members: who sees and changes whom, and the guard of the last admin; two organisations on every path."""

import asyncio

import pytest

from services.errors import Conflict, NotFound
from services.people import team
from services.people.models import Role
from tests.world import World

pytestmark = pytest.mark.integration
ADMIN, OPERATOR, VIEWER = Role.ADMIN, Role.OPERATOR, Role.VIEWER


async def test_members_see_each_other_and_admins_see_addresses(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, bob = await world.person(ours, role=ADMIN), await world.person(ours, role=VIEWER)
    eve = await world.person(theirs, role=ADMIN)
    seen = {each.user_id: each for each in await team.members(world.database, ada.identity, ours)}
    assert {id: (each.role, each.email) for id, each in seen.items()} == {
        ada.id: (ADMIN, ada.email),
        bob.id: (VIEWER, bob.email),
    }
    assert all(each.last_seen_at for each in seen.values())
    as_viewer = await team.members(world.database, bob.identity, ours)
    assert {each.user_id for each in as_viewer} == {ada.id, bob.id}
    assert {(each.email, each.last_seen_at) for each in as_viewer} == {(None, None)}
    assert await team.members(world.database, eve.identity, ours) == []


@pytest.mark.parametrize("role", [VIEWER, OPERATOR])
async def test_others_than_admins_change_nobody_but_may_leave(world: World, role: Role) -> None:
    ours = await world.organization()
    ada, bob = await world.person(ours, role=ADMIN), await world.person(ours, role=role)
    for who in (ada, bob):
        with pytest.raises(NotFound):
            await team.change_role(world.database, bob.identity, ours, who.id, ADMIN)
    with pytest.raises(NotFound):
        await team.remove(world.database, bob.identity, ours, ada.id)
    with pytest.raises(NotFound):
        await team.rename_organization(world.database, bob.identity, ours, "Mine")
    with pytest.raises(NotFound):
        await team.delete_organization(world.database, bob.identity, ours)
    await team.remove(world.database, bob.identity, ours, bob.id)
    assert [each.user_id for each in await team.members(world.database, ada.identity, ours)] == [ada.id]


async def test_an_admin_of_another_organisation_changes_nothing_here(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours, role=ADMIN), await world.person(theirs, role=ADMIN)
    with pytest.raises(NotFound):
        await team.change_role(world.database, eve.identity, ours, ada.id, VIEWER)
    with pytest.raises(NotFound):
        await team.remove(world.database, eve.identity, ours, ada.id)
    with pytest.raises(NotFound):
        await team.rename_organization(world.database, eve.identity, ours, "Theirs")
    with pytest.raises(NotFound):
        await team.delete_organization(world.database, eve.identity, ours)
    await team.rename_organization(world.database, ada.identity, ours, "  Ours  ")
    assert await world.sql("select name from organizations where id = %s", ours) == [("Ours",)]
    await team.delete_organization(world.database, ada.identity, ours)
    assert await world.sql("select 1 from org_members where org_id = %s", ours) == []
    assert len(await team.members(world.database, eve.identity, theirs)) == 1


async def test_the_last_admin_cannot_leave_or_be_demoted(world: World) -> None:
    ours = await world.organization()
    ada, bob = await world.person(ours, role=ADMIN), await world.person(ours)
    with pytest.raises(Conflict, match="Make another member an admin first"):
        await team.remove(world.database, ada.identity, ours, ada.id)
    with pytest.raises(Conflict, match="no admin"):
        await team.change_role(world.database, ada.identity, ours, ada.id, VIEWER)
    await team.change_role(world.database, ada.identity, ours, ada.id, ADMIN)
    await team.change_role(world.database, ada.identity, ours, bob.id, ADMIN)
    await team.remove(world.database, ada.identity, ours, ada.id)
    assert await team.members(world.database, ada.identity, ours) == []
    assert await world.sql("delete from auth.users where id = %s returning 1", bob.id) == [(1,)]


async def test_two_admins_who_demote_each_other_at_once_leave_one(world: World) -> None:
    for _ in range(5):
        ours = await world.organization()
        ada, bob = await world.person(ours, role=ADMIN), await world.person(ours, role=ADMIN)
        results = await asyncio.gather(
            team.change_role(world.database, ada.identity, ours, bob.id, VIEWER),
            team.change_role(world.database, bob.identity, ours, ada.id, VIEWER),
            return_exceptions=True,
        )
        assert sum(1 for each in results if isinstance(each, Conflict | NotFound)) == 1, results
        rows = await world.sql("select role from org_members where org_id = %s order by role", ours)
        assert rows == [("admin",), ("viewer",)]
