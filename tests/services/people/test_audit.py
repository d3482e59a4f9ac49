"""The audit log: what is noted, who reads it, and that nobody changes it; two organisations on every path."""

from uuid import uuid4

import pytest
from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import PermissionDenied
from services.ingest import administration
from services.operations.retention_choice import RetentionChoice, choose_retention
from services.people import audit, invitations, team
from services.people.audit import ACTIONS, audit_events
from services.people.models import Role
from tests.world import World

pytestmark = pytest.mark.integration


async def actions(world: World, identity: Identity, org: object, **choice: object) -> list[str]:
    return [each.action for each in await audit_events(world.database, identity, org, **choice)]  # type: ignore[arg-type]


async def test_what_people_change_is_noted_with_who_where_and_both_values(world: World) -> None:
    org = await world.organization("Ours")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person()
    database = world.database
    (link,) = await invitations.invite(database, ada.identity, org, role=Role.VIEWER, emails=[bob.email])
    await invitations.accept(database, bob.identity, link.token.get_secret_value())
    await team.change_role(database, ada.identity, org, bob.id, Role.OPERATOR)
    key = await administration.create_key(database, ada.identity, org, name="Nightly")
    await administration.revoke_key(database, ada.identity, key.id)
    await choose_retention(database, ada.identity, org, RetentionChoice(runs_days=7))
    await team.rename_organization(database, ada.identity, org, "Renamed")
    await team.remove(database, bob.identity, org, bob.id)
    events = await audit_events(database, ada.identity, org)
    assert [each.action for each in events] == [
        "member.left",
        "organization.renamed",
        "retention.changed",
        "key.revoked",
        "key.created",
        "member.role_changed",
        "invitation.accepted",
        "member.added",
        "invitation.created",
        "member.added",
        "organization.created",
    ]
    changed = next(each for each in events if each.action == "member.role_changed")
    assert ada.email in changed.actor
    assert bob.email in changed.subject
    assert (changed.before, changed.after) == ({"role": "viewer"}, {"role": "operator"})
    assert changed.address == "127.0.0.1"
    assert (events[-1].actor, events[0].actor.endswith(f"<{bob.email}>")) == ("the system", True)
    assert all(each.action in ACTIONS for each in events)


async def test_deletions_of_runs_are_one_event_each_statement(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    await world.sql("insert into streams (org_id, name) select %s, 'S' || n from generate_series(1, 30) as n", org)
    async with world.database.as_user(ada.identity) as session:
        await (await session.connection()).execute(text("delete from streams where org_id = :org"), {"org": org})
    event = (await audit_events(world.database, ada.identity, org))[0]
    assert (event.action, event.subject) == ("streams.deleted", "30 deleted")
    assert event.before
    assert event.before["count"] == 30
    assert len(event.before["names"]) == 10


async def test_only_admins_of_the_organisation_read_it_and_nobody_writes_it(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, bob = await world.person(ours, role=Role.ADMIN), await world.person(ours)
    eve = await world.person(theirs, role=Role.ADMIN)
    assert await actions(world, ada.identity, ours)
    assert await actions(world, bob.identity, ours) == []
    assert await actions(world, eve.identity, ours) == []
    for statement in (
        "delete from audit_events where org_id = :org",
        "update audit_events set actor = 'x' where org_id = :org",
        "insert into audit_events (org_id, actor, action, subject) values (:org, 'x', 'x', 'x')",
        "select private.note_audit(:org, 'x', 'x')",
    ):
        for person in (ada, bob, eve):
            with pytest.raises(PermissionDenied):
                async with world.database.as_user(person.identity) as session:
                    await (await session.connection()).execute(text(statement), {"org": ours})
    await audit.note_export(world.database, eve.identity, ours, list="streams", filter="{}")
    await audit.note_failed_sign_in(world.database, eve.email, address="203.0.113.9")
    assert "list.exported" not in await actions(world, ada.identity, ours)
    assert "session.refused" not in await actions(world, ada.identity, ours)
    assert (await actions(world, eve.identity, theirs))[0] == "session.refused"


async def test_search_takes_signs_literally_and_older_events_follow(world: World) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    for name in ("100%", "1000", "a_b", "axb", "back\\slash"):
        await administration.create_key(world.database, ada.identity, org, name=name)
    found = [
        await audit_events(world.database, ada.identity, org, search=each) for each in ("100%", "a_b", "k\\s", "KEY.")
    ]
    assert [[each.subject for each in events] for events in found[:3]] == [["100%"], ["a_b"], ["back\\slash"]]
    assert len(found[3]) == 5
    everything = await actions(world, ada.identity, org)
    first = await audit_events(world.database, ada.identity, org, limit=3)
    rest = await audit_events(world.database, ada.identity, org, before=first[-1].id)
    assert [each.action for each in (*first, *rest)] == everything


async def test_an_organisation_and_a_user_go_with_what_was_noted(world: World) -> None:
    org = await world.organization()
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org)
    await world.sql("delete from auth.users where id = %s", bob.id)
    assert (await actions(world, ada.identity, org))[0] == "member.removed"
    await team.delete_organization(world.database, ada.identity, org)
    assert await world.sql("select 1 from audit_events where org_id = %s", org) == []
    await audit.note_failed_sign_in(world.database, f"{uuid4()}@example.org", address="203.0.113.9")


async def test_only_an_admin_of_all_organisations_of_a_person_may_have_a_password_link(world: World) -> None:
    ours, theirs = await world.organization("Ours"), await world.organization("Theirs")
    ada, eve = await world.person(ours, role=Role.ADMIN), await world.person(ours)
    bob, both, nobody = await world.person(ours), await world.person(ours, theirs), await world.person()
    database = world.database
    assert await team.authorize_password_link(database, ada.identity, bob.id) == bob.email
    for who, whom in ((ada, both), (ada, nobody), (eve, bob), (bob, ada), (nobody, bob)):
        with pytest.raises(PermissionDenied):
            await team.authorize_password_link(database, who.identity, whom.id)
    assert (await actions(world, ada.identity, ours)).count("password.link_created") == 1
    await audit.note_password_request(database, bob.email.upper(), address="192.0.2.1")
    await audit.note_password_request(database, "nobody@example.org", address="192.0.2.1")
    await audit.note_password_set(database, bob.identity)
    await audit.note_account_opened(database, bob.identity)
    events = await audit_events(database, ada.identity, ours)
    assert [each.action for each in events[:3]] == ["account.opened", "password.set", "password.requested"]
    assert events[2].after == {"address": "192.0.2.1"}
    assert all(each.action in ACTIONS for each in events)
