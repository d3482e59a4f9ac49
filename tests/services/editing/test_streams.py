"""Edits of streams on the real database: merged by field, nothing overwritten unseen, and undone."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.editing.streams import FieldConflict, create_stream, edit_stream, edits_of, undo
from services.errors import LivewatchError, NotAccepted, NotFound, PermissionDenied
from services.people.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.integration


class Plan:
    """A stream, and two people who edit it."""

    def __init__(self, world: World, org: UUID, stream: UUID, ada: Person, ben: Person) -> None:
        self.world, self.org, self.stream, self.ada, self.ben = world, org, stream, ada, ben

    async def edit(self, person: Person, base: dict[str, Any], changes: dict[str, Any]) -> dict[str, FieldConflict]:
        return await edit_stream(self.world.database, person.identity, self.stream, base=base, changes=changes)

    async def now(self, *fields: str) -> list[Any]:
        rows = await self.world.sql(f"select {', '.join(fields)} from streams where id = %s", self.stream)
        return list(rows[0])


@pytest.fixture
async def plan(world: World) -> Plan:
    org = await world.organization("Ours")
    ada, ben = await world.person(org, role=Role.ADMIN), await world.person(org)
    stream = await create_stream(world.database, ada.identity, org, "  Import ", description="all of it")
    return Plan(world, org, stream, ada, ben)


async def test_a_stream_is_begun_by_a_person(plan: Plan) -> None:
    assert await plan.now("name", "description", "created_by", "owner_id", "goal_status") == [
        *("Import", "all of it", plan.ada.id, plan.ada.id, "not_started")
    ]


async def test_every_field_is_edited(plan: Plan) -> None:
    changes = {
        "name": "Import \u202e\u05d0\u05d1",
        "description": "x" * 4000,
        "goal_status": "on_track",
        "total": 12.5,
        "owner_id": str(plan.ben.id),
        "due_on": "2028-02-29",
        "tags": ["a", "b c"],
        "target_metrics": {"quality": 95},
    }
    base: dict[str, Any] = dict(
        zip(changes, ["Import", "all of it", "not_started", 0, str(plan.ada.id), None, [], {}], strict=True)
    )
    assert await plan.edit(plan.ada, base, changes) == {}
    assert await plan.now(*changes) == [
        *(changes["name"], changes["description"], "on_track", 12.5, plan.ben.id, date(2028, 2, 29)),
        *(["a", "b c"], {"quality": 95}),
    ]
    assert {edit.field for edit in await edits_of(plan.world.database, plan.ben.identity, plan.stream)} == set(changes)


async def test_two_people_change_different_fields_at_the_same_time(plan: Plan) -> None:
    both = await asyncio.gather(
        plan.edit(plan.ada, {"name": "Import"}, {"name": "Export"}),
        plan.edit(plan.ben, {"description": "all of it"}, {"description": "half"}),
    )
    assert not any(both)
    assert await plan.now("name", "description") == ["Export", "half"]


async def test_the_same_field_is_not_overwritten_unseen(plan: Plan) -> None:
    await plan.world.sql("update profiles set display_name = 'Ada' where user_id = %s", plan.ada.id)
    await plan.edit(plan.ada, {"name": "Import"}, {"name": "Ada's"})
    found = await plan.edit(plan.ben, {"name": "Import", "total": 0}, {"name": "Ben's", "total": 5})
    assert found == {"name": FieldConflict(value="Ada's", by="Ada")}
    assert await plan.now("name", "total") == ["Ada's", 5]
    assert await plan.edit(plan.ben, {"name": "Ada's"}, {"name": "Ben's"}) == {}
    assert await plan.now("name") == ["Ben's"]
    assert await plan.edit(plan.ada, {"name": "Ada's"}, {"name": "Ben's"}) == {}, "the same twice is no conflict"


async def test_a_program_s_own_report_is_seen_as_a_change_by_nobody(plan: Plan) -> None:
    await plan.world.sql("update streams set goal_status = 'completed' where id = %s", plan.stream)
    found = await plan.edit(plan.ada, {"goal_status": "not_started"}, {"goal_status": "at_risk"})
    assert found == {"goal_status": FieldConflict(value="completed", by=None)}


async def test_an_edit_is_undone_unless_it_was_changed_again(plan: Plan) -> None:
    database, ben = plan.world.database, plan.ben.identity
    await plan.edit(plan.ada, {"tags": []}, {"tags": ["urgent"]})
    edit = (await edits_of(database, ben, plan.stream))[0]
    assert (edit.field, edit.before, edit.after, edit.actor_id) == ("tags", [], ["urgent"], plan.ada.id)
    assert await undo(database, ben, edit) == {}
    assert await plan.now("tags") == [[]]
    undone = (await edits_of(database, ben, plan.stream))[0]
    assert (undone.undoes, undone.actor_id) == (edit.id, plan.ben.id)
    await plan.edit(plan.ada, {"tags": []}, {"tags": ["later"]})
    assert (await undo(database, ben, undone))["tags"].value == ["later"]
    assert await plan.now("tags") == [["later"]]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " \n"),
        ("name", "x" * 201),
        ("name", 7),
        ("description", "x" * 4001),
        ("description", None),
        ("goal_status", "fine"),
        ("total", -1),
        ("total", 1e300),
        ("total", "5"),
        ("owner_id", "nobody"),
        ("owner_id", str(UUID(int=5))),
        ("due_on", "2027-02-29"),
        ("due_on", "tomorrow"),
        ("due_on", 20270101),
        ("tags", ["x" * 41]),
        ("tags", [""]),
        ("tags", ["a"] * 21),
        ("tags", {"a": 1}),
        ("target_metrics", []),
        ("target_metrics", {"a": "x" * 40_000, "b": [str(uuid4()) for _ in range(2000)]}),
        ("org_id", str(UUID(int=1))),
        ("completed", 5),
        ("version", 1),
    ],
)
async def test_a_value_that_is_none_of_its_field_is_refused_with_a_sentence(plan: Plan, field: str, value: Any) -> None:
    before = await plan.now("name", "description", "goal_status", "total", "tags")
    with pytest.raises(NotAccepted, match=r"\.$"):
        await plan.edit(plan.ada, {field: None}, {"name": "Export", field: value})
    assert await plan.now("name", "description", "goal_status", "total", "tags") == before


async def test_nul_and_zero_width_text_are_harmless(plan: Plan) -> None:
    assert await plan.edit(plan.ada, {"name": "Import"}, {"name": "a\0b\u200b"}) == {}
    assert await plan.now("name") == ["ab\u200b"]
    odd = {"half": "\ud83d", "back\\u0000slash": "\\u0000", "deep": [["\0"]]}
    assert await plan.edit(plan.ada, {"target_metrics": {}}, {"target_metrics": odd}) == {}
    stored = {"half": "\ufffd", "back\\u0000slash": "\\u0000", "deep": [[""]]}
    assert await plan.now("target_metrics") == [stored]
    with pytest.raises(NotAccepted):
        await plan.edit(plan.ada, {"total": 0}, {"total": float("nan")})


async def test_a_viewer_and_a_stranger_change_nothing(plan: Plan) -> None:
    viewer = await plan.world.person(plan.org, role=Role.VIEWER)
    theirs = await plan.world.organization("Theirs")
    eve = await plan.world.person(theirs, role=Role.ADMIN)
    for person in (viewer, eve):
        with pytest.raises(NotFound):
            await plan.edit(person, {"name": "Import"}, {"name": "mine"})
        with pytest.raises(PermissionDenied):
            await create_stream(plan.world.database, person.identity, plan.org, "mine")
    with pytest.raises(NotAccepted, match="must be a member"):
        await plan.edit(plan.ada, {"owner_id": str(plan.ada.id)}, {"owner_id": str(eve.id)})
    await plan.edit(plan.ada, {"name": "Import"}, {"name": "Export"})
    assert await edits_of(plan.world.database, eve.identity, plan.stream) == []
    for statement in ("insert into edits (org_id) values (null)", "delete from edits", "update edits set field = ''"):
        with pytest.raises(LivewatchError):
            async with plan.world.database.as_user(plan.ada.identity) as session:
                await (await session.connection()).exec_driver_sql(statement)


async def test_an_edit_of_what_was_deleted_says_so(plan: Plan) -> None:
    await plan.world.sql("delete from streams where id = %s", plan.stream)
    with pytest.raises(NotFound, match="was deleted"):
        await plan.edit(plan.ada, {"name": "Import"}, {"name": "Export"})
