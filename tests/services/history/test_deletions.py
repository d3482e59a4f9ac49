"""Deletions that wait: taken back wholly, carried out by whichever process is there, and never silently dropped."""

from uuid import UUID, uuid4

import pytest

from services.entities import AGENTS, SCANS, STREAMS
from services.errors import LivewatchError, NotFound, PermissionDenied
from services.history import deletions
from services.history.deletions import Deletions, delete_pending
from services.people.models import Role
from tests.world import World, until

pytestmark = pytest.mark.integration


async def streams_of(world: World, org: UUID, count: int) -> list[UUID]:
    rows = await world.sql(
        "insert into streams (org_id, name) select %s, 's' || n from generate_series(1, %s) as n returning id",
        org, count,
    )  # fmt: skip
    return [row[0] for row in rows]


async def left(world: World, org: UUID) -> int:
    return int((await world.sql("select count(*) from streams where org_id = %s", org))[0][0])


async def waiting(world: World, org: UUID) -> int:
    return int((await world.sql("select count(*) from private.pending_deletions where org_id = %s", org))[0][0])


async def test_a_deletion_is_carried_out_after_its_time_in_batches_and_is_audited(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletions, "BATCH_ROWS", 4)
    org = await world.organization()
    ada = await world.person(org)
    ids = await streams_of(world, org, 11)
    async with Deletions(world.database, delay=0.3) as service:
        pending = await service.defer(ada.identity, STREAMS, org, [*ids[:10], ids[0], uuid4()])
        assert pending.count == 10
        assert await left(world, org) == 11

        async def is_done() -> bool:
            return await waiting(world, org) == 0

        await until(is_done, what="the deletion is carried out")
        assert await left(world, org) == 1
        assert not await service.cancel(ada.identity, pending.id), "what was deleted cannot be taken back"
    events = await world.sql(
        "select actor_id, before ->> 'count' from audit_events where org_id = %s and action = 'streams.deleted'", org
    )
    assert sorted(events) == [(ada.id, "2"), (ada.id, "4"), (ada.id, "4")]


async def test_an_undo_prevents_the_deletion_wholly(world: World) -> None:
    org = await world.organization()
    ada, ben = await world.person(org), await world.person(org, role=Role.ADMIN)
    ids = await streams_of(world, org, 3)
    async with Deletions(world.database, delay=60) as service:
        pending = await service.defer(ada.identity, STREAMS, org, ids)
        assert not await service.cancel(ben.identity, pending.id), "another person's deletion is not theirs to undo"
        assert await service.cancel(ada.identity, pending.id)
        assert not await service.cancel(ada.identity, pending.id)
    await world.sql("update private.pending_deletions set due_at = now() where org_id = %s", org)
    await delete_pending(world.database)
    assert (await left(world, org), await waiting(world, org)) == (3, 0)


async def test_the_next_process_carries_out_what_an_ended_one_had_announced(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    async with Deletions(world.database, delay=60) as ended:
        await ended.defer(ada.identity, STREAMS, org, await streams_of(world, org, 2))
    assert await left(world, org) == 2
    await world.sql("update private.pending_deletions set due_at = now() where org_id = %s", org)
    async with Deletions(world.database):

        async def is_done() -> bool:
            return await left(world, org) == 0

        await until(is_done, what="the next process deletes at its start")
    assert await waiting(world, org) == 0


async def test_what_has_begun_is_not_taken_back_halfway(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    org = await world.organization()
    ada = await world.person(org)
    async with Deletions(world.database, delay=60) as service:
        pending = await service.defer(ada.identity, STREAMS, org, await streams_of(world, org, 3))
        await world.sql(
            "update private.pending_deletions set due_at = now(), started_at = now() where org_id = %s", org
        )
        assert not await service.cancel(ada.identity, pending.id)
    await delete_pending(world.database)
    assert await left(world, org) == 0


async def test_a_person_who_may_no_longer_delete_is_told_so(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    async with Deletions(world.database, delay=60) as service:
        await service.defer(ada.identity, STREAMS, org, await streams_of(world, org, 2))
    await world.sql("update org_members set role = 'viewer' where org_id = %s", org)
    await world.sql("update private.pending_deletions set due_at = now() where org_id = %s", org)
    await delete_pending(world.database)
    assert (await left(world, org), await waiting(world, org)) == (2, 0)
    [(user, title, message)] = await world.sql(
        "select user_id, title, message from notifications where org_id = %s", org
    )
    assert (user, title) == (ada.id, "A deletion was not carried out")
    assert message.startswith("2 rows were not deleted")


async def test_neither_a_viewer_nor_another_organisation_orders_a_deletion(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ids = await streams_of(world, ours, 2)
    viewer, eve = await world.person(ours, role=Role.VIEWER), await world.person(theirs, role=Role.ADMIN)
    async with Deletions(world.database, delay=0) as service:
        for person, org in ((viewer, ours), (eve, ours)):
            with pytest.raises(PermissionDenied, match="Only operators and admins of the organisation delete runs"):
                await service.defer(person.identity, STREAMS, org, ids)
        for entity in (STREAMS, SCANS, AGENTS):
            with pytest.raises(NotFound):
                await service.defer(eve.identity, entity, theirs, ids)
    with pytest.raises(LivewatchError):
        async with world.database.as_user(eve.identity) as session:
            await (await session.connection()).exec_driver_sql("select * from private.pending_deletions")
    await delete_pending(world.database)
    assert await left(world, ours) == 2
