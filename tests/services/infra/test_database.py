"""Transactions as a user: row-level security decides, and the app's own role has no access."""

import asyncio

import pytest
from pydantic import SecretStr
from sqlmodel import col, select, update

from services.entities import Notification, SignalAlert, Stream
from services.errors import ConfigurationError, DatabaseUnavailable, PermissionDenied
from services.infra.claims import Anonymous
from services.infra.database import Database
from services.people.models import Organization, OrgMember, Profile, Role
from services.people.organizations import create_organization, memberships
from tests.world import World, until

pytestmark = pytest.mark.integration


async def test_the_apps_role_cannot_bypass_row_level_security(world: World) -> None:
    await world.database.verify()


async def test_a_role_that_could_bypass_row_level_security_is_refused(world: World) -> None:
    async with Database(world.status.database_url) as database:
        with pytest.raises(ConfigurationError, match="livewatch_app"):
            await database.verify()


async def test_a_url_that_is_none_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL is not a PostgreSQL URL") as refusal:
        Database(SecretStr("hunter2"))
    assert "hunter2" not in str(refusal.value)


async def test_a_database_that_is_away_is_said_to_be(world: World) -> None:
    person = await world.person()
    async with Database(SecretStr("postgresql://livewatch_app:x@127.0.0.1:9/postgres")) as database:
        with pytest.raises(DatabaseUnavailable):
            async with database.as_user(person.identity):
                pass


async def test_people_see_the_rows_of_their_organisations_alone(world: World) -> None:
    ours, theirs = await world.organization("ours"), await world.organization("theirs")
    ada, eve = await world.person(ours), await world.person(theirs)
    await world.insert(Stream(org_id=ours, name="ours"), by=ada)
    async with world.database.as_user(eve.identity) as session:
        assert (await session.exec(select(Stream))).all() == []
        assert [org.name for org in await session.exec(select(Organization))] == ["theirs"]
        assert [member.user_id for member in await session.exec(select(OrgMember))] == [eve.id]
        assert [profile.user_id for profile in await session.exec(select(Profile))] == [eve.id]


async def test_nobody_writes_into_an_organisation_that_is_not_theirs(world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve = await world.person(ours), await world.person(theirs)
    with pytest.raises(PermissionDenied):
        await world.insert(Stream(org_id=ours, name="planted"), by=eve)
    stream = Stream(org_id=ours, name="mine")
    await world.insert(stream, by=ada)
    async with world.database.as_user(eve.identity) as session:
        changed = await session.exec(update(Stream).where(col(Stream.id) == stream.id).values(name="stolen"))
    assert changed.rowcount == 0


async def test_a_viewer_may_not_write_and_an_operator_may(world: World) -> None:
    org = await world.organization()
    viewer, operator = await world.person(org, role=Role.VIEWER), await world.person(org, role=Role.OPERATOR)
    await world.insert(Stream(org_id=org, name="mine"), by=operator)
    with pytest.raises(PermissionDenied, match=viewer.email):
        await world.insert(Stream(org_id=org, name="mine"), by=viewer)


async def test_an_alert_goes_to_members_only_and_its_sender_cannot_read_it(world: World) -> None:
    org = await world.organization()
    sender, recipient, stranger = await world.person(org), await world.person(org), await world.person()
    await world.insert(
        SignalAlert(org_id=org, user_id=recipient.id, target_name="x", signal_type="y", signal_strength=1), by=sender
    )
    async with world.database.as_user(sender.identity) as session:
        assert (await session.exec(select(SignalAlert))).all() == []
    with pytest.raises(PermissionDenied):
        await world.insert(Notification(org_id=org, user_id=stranger.id, title="x"), by=sender)


async def test_whoever_makes_an_organisation_is_its_admin(world: World) -> None:
    person = await world.person()
    org = await create_organization(world.database, person.identity, "  New  ")
    (membership,) = await memberships(world.database, person.identity)
    assert (membership.org_id, membership.name, membership.role) == (org, "New", Role.ADMIN)


async def test_nothing_of_a_transaction_stays_on_the_connection(world: World) -> None:
    """A pooled connection must not keep the identity of its previous user."""
    org = await world.organization()
    ada, eve = await world.person(org), await world.person()
    await world.insert(Stream(org_id=org, name="ours"), by=ada)
    assert world.status.app_database_url
    async with Database(world.status.app_database_url, pool_size=1) as database:
        for _ in range(3):
            async with database.as_user(ada.identity) as session:
                assert len((await session.exec(select(Stream))).all()) == 1
            async with database.as_user(eve.identity) as session:
                assert (await session.exec(select(Stream))).all() == []


async def test_a_call_has_the_claims_and_the_time_limit_and_leaves_nothing_behind(world: World) -> None:
    org = await world.organization()
    ada, eve = await world.person(org), await world.person()
    await world.insert(Stream(org_id=org, name="ours"), by=ada)
    assert world.status.app_database_url
    async with Database(world.status.app_database_url, pool_size=1) as database:
        for person, seen in ((ada, 1), (eve, 0), (ada, 1)):
            count = "select count(*)::int from streams where org_id = %(org)s"
            assert await database.call(person.identity, count, {"org": org}) == seen
            assert await database.call(person.identity, "select current_setting('statement_timeout')", {}) == "10s"
            async with database.as_user(Anonymous()) as session:
                assert (await session.exec(select(Stream))).all() == []
        await database.verify()


@pytest.mark.parametrize(
    "value", ["'; drop table streams; --", "\\'; select 1", "%s %(org)s %%", "$$", "أداة\u200f\n", ""]
)
async def test_a_value_of_a_call_is_never_sql(world: World, value: str) -> None:
    person = await world.person()
    assert await world.database.call(person.identity, "select %(value)s::text", {"value": value}) == value


async def test_a_refused_call_names_the_person_and_writes_nothing(world: World) -> None:
    ours = await world.organization()
    eve = await world.person()
    insert = "insert into streams (org_id, name) values (%(org)s, 'planted')"
    with pytest.raises(PermissionDenied, match=eve.email):
        await world.database.call(eve.identity, insert, {"org": ours})
    assert await world.sql("select 1 from streams where org_id = %s", ours) == []


async def test_a_connection_that_dies_in_a_call_is_replaced(world: World) -> None:
    person = await world.person()
    assert world.status.app_database_url
    async with Database(world.status.app_database_url, pool_size=1) as database:
        sleeping = asyncio.create_task(database.call(person.identity, "select pg_sleep(8) is null", {}))

        async def is_ended() -> bool:
            return bool(
                await world.sql(
                    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%%pg_sleep(8)%%' "
                    "and pid <> pg_backend_pid() and usename = 'livewatch_app'"
                )
            )

        await until(is_ended, what="the call runs and its backend is ended")
        with pytest.raises(DatabaseUnavailable):
            await sleeping
        assert await database.call(person.identity, "select 1", {}) == 1


async def test_a_cancelled_call_does_not_spoil_the_connection(world: World) -> None:
    person = await world.person()
    assert world.status.app_database_url
    async with Database(world.status.app_database_url, pool_size=1) as database:
        for _ in range(3):
            sleeping = asyncio.create_task(database.call(person.identity, "select pg_sleep(8) is null", {}))
            await asyncio.sleep(0.05)
            sleeping.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sleeping
            assert await database.call(person.identity, "select 1", {}) == 1
