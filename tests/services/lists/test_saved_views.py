"""Saved views: a person's own are theirs alone, and those of an organisation its operators'."""

from typing import Any
from uuid import UUID

import pytest

from services.entities import STREAMS, OwnView, SharedView
from services.errors import Conflict, NotAccepted, NotFound, PermissionDenied
from services.lists.saved_views import change_view, delete_view, save_view
from services.people.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.integration


async def save(world: World, person: Person, org: UUID, name: str = "Failed", **more: Any) -> UUID:
    given: dict[str, Any] = {"query": {"status": "blocked"}, "is_shared": False, **more}
    return await save_view(world.database, person.identity, org, STREAMS, name=name, **given)


async def read(world: World, table: str, *orgs: UUID) -> list[Any]:
    return await world.sql(
        f"select name, query, is_pinned, is_default from {table} where org_id = any (%s) order by name", list(orgs)
    )


async def row_of(world: World, model: type[OwnView] | type[SharedView], id: UUID) -> OwnView | SharedView:
    ((record,),) = await world.sql(f"select to_jsonb(t) from {model.__tablename__} as t where id = %s", id)
    return model.read(record)


async def test_a_view_is_saved_in_place_of_one_of_its_name(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    first = await save(world, ada, org, " Failed ", is_pinned=True)
    assert await save(world, ada, org, "Failed", query={"q": "x"}, is_default=True) == first
    assert await read(world, "own_views", org) == [("Failed", {"q": "x"}, False, True)]
    await save(world, ada, org, "Other", is_default=True)
    assert [(row[0], row[3]) for row in await read(world, "own_views", org)] == [("Failed", False), ("Other", True)]


async def test_nobody_sees_or_changes_the_views_of_another(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada, ben, eve = await world.person(org), await world.person(org), await world.person(other)
    own = await row_of(world, OwnView, await save(world, ada, org))
    shared = await row_of(world, SharedView, await save(world, ada, org, is_shared=True))
    for person, view in ((ben, own), (eve, own), (eve, shared)):
        with pytest.raises(NotFound):
            await change_view(world.database, person.identity, view, name="Mine")
        with pytest.raises(NotFound):
            await delete_view(world.database, person.identity, view)
    with pytest.raises(PermissionDenied):
        await save(world, eve, org)
    with pytest.raises(PermissionDenied):
        await save(world, eve, org, is_shared=True)
    async with world.database.as_user(ben.identity) as session:
        connection = await session.connection()
        seen = [
            list(await connection.exec_driver_sql(f"select name from {table}"))
            for table in ("own_views", "shared_views")
        ]
    assert seen == [[], [("Failed",)]]
    await change_view(world.database, ben.identity, shared, name="Blocked", is_pinned=True)
    assert [row[0] for row in await read(world, "shared_views", org)] == ["Blocked"]


async def test_a_viewer_saves_views_for_themselves_alone(world: World) -> None:
    org = await world.organization()
    viewer, ada = await world.person(org, role=Role.VIEWER), await world.person(org)
    await save(world, viewer, org)
    with pytest.raises(PermissionDenied):
        await save(world, viewer, org, is_shared=True)
    shared = await row_of(world, SharedView, await save(world, ada, org, is_shared=True))
    with pytest.raises(NotFound, match="your role"):
        await delete_view(world.database, viewer.identity, shared)


@pytest.mark.parametrize("name", ["", "   ", "\u200b", "x" * 81])
async def test_a_name_that_says_nothing_is_refused(world: World, name: str) -> None:
    org = await world.organization()
    ada = await world.person(org)
    with pytest.raises(NotAccepted, match="name"):
        await save(world, ada, org, name)


async def test_two_views_of_a_list_do_not_share_a_name(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await save(world, ada, org, "One")
    second = await row_of(world, OwnView, await save(world, ada, org, "Two"))
    with pytest.raises(Conflict, match="“One”"):
        await change_view(world.database, ada.identity, second, name="One")


async def test_there_are_no_more_views_than_a_feed_holds(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into own_views (org_id, user_id, list, name) "
        "select %s, %s, 'streams', n::text from generate_series(1, 200) as n", org, ada.id,
    )  # fmt: skip
    with pytest.raises(Conflict, match="200 saved views"):
        await save(world, ada, org, "One more")
    await save(world, ada, org, is_shared=True)


async def test_a_person_who_leaves_takes_their_views_along(world: World) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org)
    await save(world, ada, org)
    await save(world, ben, org)
    await world.sql("delete from org_members where org_id = %s and user_id = %s", org, ben.id)
    assert await world.sql("select user_id from own_views where org_id = %s", org) == [(ada.id,)]
