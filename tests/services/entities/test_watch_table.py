"""`private.watch_table`: one call makes a new table live and protected, or names what the table lacks."""

from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest
from sqlmodel import Field, col, select, update

from services.entities import Entity, NotificationType, Row, Scope
from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import NEWEST, ListSpec
from services.errors import PermissionDenied
from services.feed_kind import FeedKind
from services.people.models import Role
from services.realtime import TRANSPORTS, DatabaseSource, RealtimeService
from tests.world import Person, World, until

pytestmark = pytest.mark.integration
COLUMNS = {
    "id": "uuid primary key default gen_random_uuid()",
    "org_id": "uuid not null references public.organizations (id) on delete cascade",
    "user_id": "uuid not null",
    "title": "text not null default ''",
    "read_at": "timestamptz",
    "version": "bigint not null default 0",
    "created_at": "timestamptz not null default now()",
    "updated_at": "timestamptz not null default now()",
}
MARKABLE = "scope => 'user', markable => array['read_at']"


class Ticket(Row, table=True):
    """Row of the table that a test creates."""

    __tablename__ = "tickets"

    user_id: UUID
    title: str = Field(default="")


TICKETS = Entity(
    table="tickets",
    model=Ticket,
    scope=Scope.ORG,
    order="created_at desc",
    limit=10,
    label="Tickets",
    noun="ticket",
    statuses=NotificationType,
    layout=RowLayout(title=lambda row: row.title, status=lambda _: None),
    listing=ListSpec(search_text=lambda row: row.title, search_sql="title", sorts=(NEWEST,)),
    empty=EmptyState(icon="inbox", text="No tickets yet."),
)


@pytest.fixture
async def tables(world: World) -> AsyncIterator[World]:
    """Yield the world, in which a test may create the table `tickets`."""
    yield world
    await world.sql("drop table if exists public.tickets")


async def make_table(world: World, *, without: str = "") -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items() if name != without)
    await world.sql(f"create table public.tickets ({columns})")


async def watch(world: World, options: str = "") -> None:
    await world.sql(f"select private.watch_table('tickets'{', ' if options else ''}{options})")


async def titles(world: World, reader: Person) -> list[str]:
    async with world.database.as_user(reader.identity) as session:
        return list(await session.exec(select(Ticket.title)))


async def rename(world: World, ticket: Ticket, *, by: Person) -> int:
    """Update as a user; returns the number of rows that the policies permit."""
    async with world.database.as_user(by.identity) as session:
        changed = await session.exec(update(Ticket).where(col(Ticket.id) == ticket.id).values(title="renamed"))
        return changed.rowcount


async def remove(world: World, ticket: Ticket, *, by: Person) -> int:
    async with world.database.as_user(by.identity) as session:
        connection = await session.connection()
        return (await connection.exec_driver_sql("delete from tickets where id = %s", (ticket.id,))).rowcount


async def mark(world: World, ticket: Ticket, *, by: Person) -> int:
    async with world.database.as_user(by.identity) as session:
        connection = await session.connection()
        statement = "update tickets set read_at = now() where id = %s"
        return (await connection.exec_driver_sql(statement, (ticket.id,))).rowcount


async def test_members_see_a_change_live_and_another_organisation_sees_none_of_it(tables: World) -> None:
    await make_table(tables)
    await watch(tables, "scope => 'org'")
    ours, theirs = await tables.organization(), await tables.organization()
    ada, eve = await tables.person(ours), await tables.person(theirs, role=Role.ADMIN)
    transport = TRANSPORTS[FeedKind.BROADCAST](url=tables.status.api_url, key=tables.status.anon_key)
    ticket = Ticket(org_id=ours, user_id=ada.id, title="first")
    async with RealtimeService(transport=transport, source=DatabaseSource(tables.database)) as realtime:
        seen = realtime.subscribe(TICKETS, ours, session=ada)
        unseen = realtime.subscribe(TICKETS, theirs, session=eve)
        await until(lambda: seen.is_loaded and unseen.is_loaded)
        await tables.insert(ticket, by=ada)
        await until(lambda: [row.title for row in seen.rows()] == ["first"])
        assert await rename(tables, ticket, by=ada) == 1
        await until(lambda: [row.title for row in seen.rows()] == ["renamed"])
        # Their own row arrives after the point at which a forbidden one would have arrived.
        await tables.insert(Ticket(org_id=theirs, user_id=eve.id, title="theirs"), by=eve)
        await until(lambda: bool(unseen.rows()))
        assert [row.title for row in unseen.rows()] == ["theirs"]
        assert await remove(tables, ticket, by=ada) == 1
        await until(lambda: not seen.rows())


async def test_operators_write_viewers_read_and_strangers_do_neither(tables: World) -> None:
    await make_table(tables)
    await watch(tables)
    ours = await tables.organization()
    operator, viewer = await tables.person(ours), await tables.person(ours, role=Role.VIEWER)
    stranger = await tables.person(await tables.organization(), role=Role.ADMIN)
    ticket = Ticket(org_id=ours, user_id=operator.id, title="first")
    await tables.insert(ticket, by=operator)
    assert (await titles(tables, viewer), await titles(tables, stranger)) == (["first"], [])
    for person in (viewer, stranger):
        with pytest.raises(PermissionDenied):
            await tables.insert(Ticket(org_id=ours, user_id=person.id), by=person)
        assert await rename(tables, ticket, by=person) == 0
        assert await remove(tables, ticket, by=person) == 0
    ((granted,),) = await tables.sql("select has_table_privilege('anon', 'public.tickets', 'select')")
    assert not granted


async def test_only_the_database_writes_where_it_is_the_writer(tables: World) -> None:
    await make_table(tables)
    await watch(tables, "writers => 'database'")
    org = await tables.organization()
    admin = await tables.person(org, role=Role.ADMIN)
    ticket = Ticket(org_id=org, user_id=admin.id, title="first")
    await tables.sql(
        "insert into tickets (id, org_id, user_id, title) values (%s, %s, %s, 'first')", ticket.id, org, admin.id
    )
    assert await titles(tables, admin) == ["first"]
    with pytest.raises(PermissionDenied):
        await tables.insert(Ticket(org_id=org, user_id=admin.id), by=admin)
    with pytest.raises(PermissionDenied):
        await rename(tables, ticket, by=admin)
    with pytest.raises(PermissionDenied):
        await remove(tables, ticket, by=admin)


async def test_a_personal_row_is_seen_marked_and_deleted_by_its_recipient_alone(tables: World) -> None:
    await make_table(tables)
    await watch(tables, MARKABLE)
    ours, theirs = await tables.organization(), await tables.organization()
    sender, recipient = await tables.person(ours), await tables.person(ours, role=Role.VIEWER)
    stranger = await tables.person(theirs, role=Role.ADMIN)
    ticket = Ticket(org_id=ours, user_id=recipient.id, title="yours")
    await tables.insert(ticket, by=sender)
    with pytest.raises(PermissionDenied):
        await tables.insert(Ticket(org_id=ours, user_id=stranger.id), by=sender)
    with pytest.raises(PermissionDenied):
        await tables.insert(Ticket(org_id=theirs, user_id=stranger.id), by=sender)
    for person in (sender, stranger):
        assert await titles(tables, person) == []
        assert await mark(tables, ticket, by=person) == 0
        assert await remove(tables, ticket, by=person) == 0
    assert await titles(tables, recipient) == ["yours"]
    with pytest.raises(PermissionDenied):
        await rename(tables, ticket, by=recipient)
    assert await mark(tables, ticket, by=recipient) == 1
    topics = await tables.sql(
        "select distinct topic from realtime.messages where payload ->> 'table' = 'tickets' "
        "and payload #>> '{record,id}' = %s",
        str(ticket.id),
    )
    assert topics == [(f"user:{recipient.id}",)]
    assert await remove(tables, ticket, by=recipient) == 1


async def test_the_table_is_published_for_postgres_changes(tables: World) -> None:
    await make_table(tables)
    await watch(tables)
    assert await tables.sql(
        "select 1 from pg_publication_tables where pubname = 'supabase_realtime' and tablename = 'tickets'"
    )


@pytest.mark.parametrize("column", ["id", "org_id", "version", "created_at", "updated_at", "user_id"])
async def test_a_missing_column_is_named_with_its_definition_and_nothing_is_changed(tables: World, column: str) -> None:
    await make_table(tables, without=column)
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedColumn, match=rf"tickets lacks the column {column}: add `{column} "):
            await watch(tables, MARKABLE)
    ((is_protected,),) = await tables.sql("select relrowsecurity from pg_class where relname = 'tickets'")
    assert not is_protected
    assert not await tables.sql(
        "select tgname from pg_trigger where tgrelid = 'public.tickets'::regclass and not tgisinternal"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("scope => 'team'", "use 'org' or 'user'"),
        ("writers => 'anyone'", "use 'members' or 'database'"),
        ("markable => array['title']", "Leave markable out, or use the scope 'user'"),
    ],
)
async def test_an_unknown_option_is_refused_with_those_that_there_are(
    tables: World, options: str, message: str
) -> None:
    await make_table(tables)
    with pytest.raises(psycopg.errors.RaiseException) as refused:
        await watch(tables, options)
    assert message in f"{refused.value.diag.message_primary} {refused.value.diag.message_hint}"


async def test_a_table_that_is_not_there_or_watched_already_is_named(tables: World) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match=r"no table public\.tickets: create it before"):
        await watch(tables)
    await make_table(tables)
    await watch(tables)
    with pytest.raises(psycopg.errors.DuplicateObject, match=r"public\.tickets is watched already"):
        await watch(tables)


@pytest.mark.parametrize("name", ["watch_table", "protect_shared_rows", "protect_personal_rows", "report_table"])
async def test_no_role_of_a_user_may_call_what_makes_tables_live(world: World, name: str) -> None:
    allowed = await world.sql(
        "select role from pg_proc, unnest(array['anon', 'authenticated', 'livewatch_app']) as role "
        "where proname = %s and has_function_privilege(role, pg_proc.oid, 'execute')",
        name,
    )
    assert allowed == []
    assert await world.sql("select 1 from pg_proc where proname = %s", name)


async def test_a_member_who_calls_it_anyway_is_refused(tables: World) -> None:
    await make_table(tables)
    admin = await tables.person(await tables.organization(), role=Role.ADMIN)
    with pytest.raises(PermissionDenied):
        async with tables.database.as_user(admin.identity) as session:
            await (await session.connection()).exec_driver_sql("select private.watch_table('tickets')")
