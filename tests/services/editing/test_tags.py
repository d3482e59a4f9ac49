"""Tags of many runs on the real database: added, removed, restored exactly, within an organisation and a role."""

from uuid import UUID, uuid4

import pytest

from services.editing import tags
from services.editing.streams import edits_of
from services.editing.tags import TagUse, restore_tags, tag_runs, tag_uses
from services.entities import AGENTS, SCANS, STREAMS
from services.errors import NotAccepted, PermissionDenied
from services.people.models import Role
from tests.world import World

pytestmark = pytest.mark.integration


async def tagged_streams(world: World, org: UUID, *tags: list[str]) -> list[UUID]:
    """Insert streams with these tags; a finished one, too."""
    ids = []
    for number, each in enumerate(tags):
        rows = await world.sql(
            "insert into streams (org_id, name, goal_status, tags) values (%s, %s, 'completed', %s) returning id",
            org, f"s{number}", each,
        )  # fmt: skip
        ids.append(rows[0][0])
    return ids


async def tags_of(world: World, ids: list[UUID]) -> list[list[str]]:
    rows = dict(await world.sql("select id, tags from streams where id = any(%s)", ids))
    return [rows[id] for id in ids]


async def test_tags_are_added_and_removed_and_the_undo_restores_what_each_had(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "BATCH_ROWS", 2)
    org = await world.organization()
    ada = await world.person(org)
    before = [["b", "a"], ["new"], [], ["a", "new", "c"]]
    ids = await tagged_streams(world, org, *before)
    changed = await tag_runs(world.database, ada.identity, STREAMS, ids, added=[" new ", "new"], removed=["a"])
    assert await tags_of(world, ids) == [["b", "new"], ["new"], ["new"], ["new", "c"]]
    assert {each["id"] for each in changed} == {str(id) for id in (ids[0], ids[2], ids[3])}
    [edit] = await edits_of(world.database, ada.identity, ids[0])
    assert (edit.field, edit.before, edit.after, edit.actor_id) == ("tags", ["b", "a"], ["b", "new"], ada.id)
    assert await restore_tags(world.database, ada.identity, STREAMS, changed) == 3
    assert await tags_of(world, ids) == before


async def test_an_undo_leaves_alone_what_somebody_has_tagged_since(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ids = await tagged_streams(world, org, [], ["x"])
    changed = await tag_runs(world.database, ada.identity, STREAMS, ids, added=["new"])
    await world.sql("update streams set tags = array['new', 'later'] where id = %s", ids[0])
    assert await restore_tags(world.database, ada.identity, STREAMS, changed) == 1
    assert await tags_of(world, ids) == [["new", "later"], ["x"]]


async def test_what_is_no_tag_or_one_too_many_changes_nothing(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    ids = await tagged_streams(world, org, [], [str(number) for number in range(20)])
    for tag in ("", "x" * 41):
        with pytest.raises(NotAccepted, match="1 to 40 characters"):
            await tag_runs(world.database, ada.identity, STREAMS, ids, added=[tag])
    with pytest.raises(NotAccepted, match="room for 20 tags; remove some of “s1” first"):
        await tag_runs(world.database, ada.identity, STREAMS, ids, added=["new"])
    assert (await tags_of(world, ids))[0] == []
    await tag_runs(world.database, ada.identity, STREAMS, ids, added=["new"], removed=["7"])
    assert [len(each) for each in await tags_of(world, ids)] == [1, 20]


async def test_neither_a_viewer_nor_another_organisation_tags_or_restores(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ids = await tagged_streams(world, ours, ["secret"])
    ada, viewer = await world.person(ours), await world.person(ours, role=Role.VIEWER)
    eve = await world.person(theirs, role=Role.ADMIN)
    [own] = await tagged_streams(world, theirs, ["eve's"])
    changed = await tag_runs(world.database, ada.identity, STREAMS, ids, added=["more"])
    for person in (viewer, eve):
        with pytest.raises(PermissionDenied, match="only operators and admins tag streams"):
            await tag_runs(world.database, person.identity, STREAMS, ids, added=["mine"])
        assert await restore_tags(world.database, person.identity, STREAMS, changed) == 0
    assert [
        each["id"] for each in await tag_runs(world.database, eve.identity, STREAMS, [*ids, own], added=["mine"])
    ] == [str(own)]
    assert await tags_of(world, ids) == [["secret", "more"]]
    assert await tag_uses(world.database, eve.identity, ours, ids) == []


async def test_the_tags_of_the_chosen_streams_come_first(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada = await world.person(org, other)
    ids = await tagged_streams(world, org, ["some", "all"], ["all"], ["often"], ["often"], ["often"])
    await tagged_streams(world, other, ["elsewhere"])
    assert await tag_uses(world.database, ada.identity, org, [*ids[:2], uuid4()]) == [
        TagUse(name="all", chosen=2, used=2),
        TagUse(name="some", chosen=1, used=1),
        TagUse(name="often", chosen=0, used=3),
    ]


async def test_scans_and_agents_are_tagged_like_streams_also_when_they_are_over(world: World) -> None:
    org, other = await world.organization(), await world.organization()
    ada, eve = await world.person(org), await world.person(other)
    [stream] = await tagged_streams(world, org, ["a"])
    [[scan]] = await world.sql(
        "insert into acquisition_scans (org_id, name, status) values (%s, 's', 'completed') returning id", org
    )
    [[agent]] = await world.sql(
        "insert into agent_executions (org_id, stream_id, agent_id, agent_name, status) "
        "values (%s, %s, 'a', 'a', 'failed') returning id",
        org, stream,
    )  # fmt: skip
    for entity, id in ((SCANS, scan), (AGENTS, agent)):
        [tagged] = await tag_runs(world.database, ada.identity, entity, [id, stream], added=["a", "b"])
        assert (tagged["before"], tagged["after"]) == ([], ["a", "b"])
        with pytest.raises(PermissionDenied):
            await tag_runs(world.database, eve.identity, entity, [id], added=["c"])
    assert await tag_uses(world.database, ada.identity, org, [agent]) == [
        TagUse(name="a", chosen=1, used=3),
        TagUse(name="b", chosen=1, used=2),
    ]
    assert await restore_tags(world.database, ada.identity, AGENTS, [tagged]) == 1
    assert await world.sql("select tags from agent_executions where id = %s", agent) == [([],)]
    assert await tags_of(world, [stream]) == [["a"]]
