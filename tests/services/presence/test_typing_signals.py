"""Typing signals through the database and Realtime, with every transport, and who may send them."""

import psycopg
import pytest
from sqlalchemy import text

from services.entities import VIEWERS
from services.errors import PermissionDenied
from services.presence.typing import Typing, Typist
from services.realtime import RealtimeService, TypingKind
from tests.world import World, until

pytestmark = pytest.mark.integration
SUBJECT = "stream:1"


async def test_a_members_typing_shows_in_the_own_organisation_only_and_by_the_profiles_name(
    world: World, realtime: RealtimeService
) -> None:
    org, other_org = await world.organization(), await world.organization()
    ana, bo, cy = [await world.person(org) for _ in range(3)]
    eve = await world.person(other_org)
    await world.sql("update profiles set display_name = %s where user_id = %s", "Ana \u202eعمر", ana.id)
    async with Typing(world.database) as typing:
        realtime.on_typing = typing.received
        subscriptions = [
            realtime.subscribe(VIEWERS, scope, session=person) for scope, person in ((org, bo), (other_org, eve))
        ]
        await until(lambda: all(each.is_loaded for each in subscriptions))
        seen, foreign = list[list[Typist]](), list[list[Typist]]()
        typing.watch(org, SUBJECT, seen.append, me=bo.id)
        typing.watch(other_org, SUBJECT, foreign.append, me=eve.id)

        typing.report(eve, org, SUBJECT)  # no member
        typing.report(ana, org, SUBJECT, TypingKind.EDITING)
        await until(lambda: seen)
        assert seen == [[Typist(user_id=ana.id, name="Ana \u202eعمر", kind=TypingKind.EDITING)]]
        typing.report(cy, org, SUBJECT)
        typing.report(eve, other_org, SUBJECT)
        await until(lambda: len(seen) > 1)
        assert [each.user_id for each in seen[1]] == [ana.id, cy.id]
        assert foreign == []


async def test_who_is_invisible_or_removed_types_unseen(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ana, bo, cy = [await world.person(org) for _ in range(3)]
    await world.sql("""update profiles set preferences = '{"online": false}' where user_id = %s""", ana.id)
    await world.sql("delete from org_members where user_id = %s", cy.id)
    async with Typing(world.database) as typing:
        realtime.on_typing = typing.received
        subscription = realtime.subscribe(VIEWERS, org, session=bo)
        await until(lambda: subscription.is_loaded)
        seen = list[list[Typist]]()
        typing.watch(org, SUBJECT, seen.append, me=ana.id)
        typing.report(ana, org, SUBJECT)
        typing.report(cy, org, SUBJECT)
        typing.report(bo, org, SUBJECT)
        await until(lambda: seen)
        assert [[each.user_id for each in people] for people in seen] == [[bo.id]]


async def test_no_user_can_send_a_signal(world: World) -> None:
    org = await world.organization()
    ana, bo = await world.person(org), await world.person(org)
    call = text("select private.report_typing(:org, :person, 's', 'typing')")
    with pytest.raises(PermissionDenied):
        async with world.database.as_user(bo.identity) as session:
            await (await session.connection()).execute(call, {"org": org, "person": ana.id})
    for role in ("anon", "authenticated", "service_role"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await world.sql(f"set local role {role}; select private.report_typing('{org}', '{ana.id}', 's', 'typing')")


async def test_a_signal_is_bounded(world: World, realtime: RealtimeService) -> None:
    org = await world.organization()
    ana = await world.person(org)
    subject = "x" * 5000
    async with Typing(world.database) as typing:
        realtime.on_typing = typing.received
        subscription = realtime.subscribe(VIEWERS, org, session=ana)
        await until(lambda: subscription.is_loaded)
        seen = list[list[Typist]]()
        typing.watch(org, subject[:200], seen.append, me=org)
        typing.report(ana, org, subject)
        await until(lambda: seen)
