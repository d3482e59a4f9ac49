"""Keys that expire, that only read, and that are replaced, against the real database."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from services.errors import IngestRefused, NotFound
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest import REPORTING, ApiKeyVerifier, EventStreamHub, Ingest, KeyScope, Operation, Target, Verb
from services.ingest.administration import CreatedKey, KeyEntry, create_key, list_keys, replace_key, revoke_key
from services.people.audit import audit_events
from services.people.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.integration
PAST = "now() - interval '1 second'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """An organisation with an admin."""

    world: World
    org: UUID
    admin: Person

    async def key(self, *, scopes: tuple[KeyScope, ...] = REPORTING, lifetime: timedelta | None = None) -> CreatedKey:
        return await create_key(
            self.world.database, self.admin.identity, self.org, name="nightly", scopes=scopes, lifetime=lifetime
        )

    async def replaced(self, key: UUID, *, keep: timedelta) -> CreatedKey:
        return await replace_key(self.world.database, self.admin.identity, key, keep=keep)

    async def entries(self) -> dict[UUID, KeyEntry]:
        return {each.id: each for each in await list_keys(self.world.database, self.admin.identity, self.org)}

    async def works(self, key: CreatedKey) -> bool:
        try:
            await ApiKeyVerifier(self.world.database).verify(key.token.get_secret_value())
        except IngestRefused:
            return False
        return True

    async def expire(self, key: UUID) -> None:
        await self.world.sql(f"update public.ingest_keys set expires_at = {PAST} where id = %s", key)


@pytest.fixture
async def team(world: World) -> Team:
    org = await world.organization()
    return Team(world=world, org=org, admin=await world.person(org, role=Role.ADMIN))


async def test_a_key_works_until_it_expires_and_never_again(team: Team) -> None:
    forever, brief = await team.key(), await team.key(lifetime=timedelta(days=7))
    expires_at = (await team.entries())[brief.id].expires_at
    assert expires_at is not None
    assert timedelta(days=6) < expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert (await team.entries())[forever.id].expires_at is None
    assert await team.works(brief)
    await team.expire(brief.id)
    assert not await team.works(brief)
    assert await team.works(forever)
    with pytest.raises(Exception, match="has expired and cannot be restored"):
        await team.world.sql("update public.ingest_keys set expires_at = null where id = %s", brief.id)


async def test_the_database_refuses_the_writes_of_a_key_that_expires_while_the_app_still_remembers_it(
    team: Team,
) -> None:
    made = await team.key()
    ingest = Ingest(team.world.database, ApiKeyVerifier(team.world.database), RateLimiter(Rate(per_second=9, burst=9)))
    key = await ingest.authenticate(made.token.get_secret_value())
    await team.expire(made.id)
    async with team.world.database.as_user(key) as session:
        allowed = (await (await session.connection()).exec_driver_sql("select private.ingest_orgs('runs')")).all()
    assert allowed == []


async def test_a_key_that_only_reads_follows_runs_and_reports_none(team: Team) -> None:
    reads = await ApiKeyVerifier(team.world.database).verify(
        (await team.key(scopes=(KeyScope.READ,))).token.get_secret_value()
    )
    alerts = await ApiKeyVerifier(team.world.database).verify(
        (await team.key(scopes=(KeyScope.ALERTS,))).token.get_secret_value()
    )
    await team.world.sql("insert into streams (org_id, name, slug) values (%s, 'Nightly', 'nightly')", team.org)
    other = await team.world.organization()
    await team.world.sql("insert into streams (org_id, name, slug) values (%s, 'Theirs', 'theirs')", other)
    seen = {}
    for key in (reads, alerts):
        async with team.world.database.as_user(key) as session:
            connection = await session.connection()
            seen[key.id] = (await connection.exec_driver_sql("select slug from public.streams")).scalars().all()
            changed = await connection.exec_driver_sql("update public.streams set name = 'Mine'")
            assert changed.rowcount == 0
    assert seen == {reads.id: ["nightly"], alerts.id: []}
    async with EventStreamHub(team.world.database) as hub:
        hub.authorize(reads)
        with pytest.raises(IngestRefused, match="lacks the scopes 'runs' and 'read'"):
            hub.authorize(alerts)


async def test_a_key_for_commands_closes_archives_and_deletes_and_reports_nothing(team: Team) -> None:
    made = await team.key(scopes=(KeyScope.COMMANDS,))
    await team.world.sql(
        "insert into streams (org_id, name, slug, goal_status) values (%s, 'Nightly', 'nightly', 'in_progress')",
        team.org,
    )
    ingest = Ingest(team.world.database, ApiKeyVerifier(team.world.database), RateLimiter(Rate(per_second=9, burst=9)))
    key = await ingest.authenticate(made.token.get_secret_value())

    async def refusal(verb: Verb, slug: str, **body: object) -> str:
        (outcome,) = await ingest.apply(key, [Operation(target=Target.STREAMS, verb=verb, slug=slug, body=body)])
        return str(outcome) if isinstance(outcome, IngestRefused) else ""

    for verb in (Verb.REPORT, Verb.FINISH):
        assert "lacks the scope 'runs'" in await refusal(verb, "nightly", name="Mine")
    for verb in (Verb.CLOSE, Verb.ARCHIVE, Verb.UNARCHIVE, Verb.DELETE):
        assert await refusal(verb, "nightly") == ""
    assert await team.world.sql("select 1 from streams where org_id = %s", team.org) == []
    other = await team.world.organization()
    await team.world.sql("insert into streams (org_id, name, slug) values (%s, 'Theirs', 'theirs')", other)
    assert await refusal(Verb.DELETE, "theirs")
    only_reads = await team.key(scopes=(KeyScope.READ,))
    key = await ingest.authenticate(only_reads.token.get_secret_value())
    assert "lacks the scope 'runs' or 'commands'" in await refusal(Verb.CLOSE, "nightly")


async def test_a_replaced_key_works_beside_the_new_one_for_the_time_that_was_chosen(team: Team) -> None:
    earlier = await team.key(scopes=(KeyScope.RUNS,))
    new = await team.replaced(earlier.id, keep=timedelta(hours=1))
    assert await team.works(earlier)
    assert await team.works(new)
    entries = await team.entries()
    assert (entries[new.id].name, entries[new.id].scopes, entries[new.id].replaces) == (
        "nightly",
        (KeyScope.RUNS,),
        earlier.id,
    )
    expires_at = entries[earlier.id].expires_at
    assert expires_at is not None
    assert expires_at - datetime.now(UTC) <= timedelta(hours=1)
    newest = await team.replaced(new.id, keep=timedelta(0))
    assert not await team.works(new)
    assert await team.works(newest)
    # A replacement never lengthens a life.
    await team.replaced(earlier.id, keep=timedelta(days=7))
    assert (await team.entries())[earlier.id].expires_at == expires_at
    actions = [each.action for each in await audit_events(team.world.database, team.admin.identity, team.org)]
    assert actions.count("key.replaced") == 3
    assert actions.count("key.expires") == 2


async def test_what_no_longer_works_and_what_is_another_organisations_is_not_replaced(team: Team) -> None:
    revoked, expired, ours = await team.key(), await team.key(), await team.key()
    await revoke_key(team.world.database, team.admin.identity, revoked.id)
    await team.expire(expired.id)
    for gone in (revoked, expired):
        with pytest.raises(NotFound, match="no longer works"):
            await team.replaced(gone.id, keep=timedelta(hours=1))
    eve = await team.world.person(await team.world.organization(), role=Role.ADMIN)
    operator = await team.world.person(team.org, role=Role.OPERATOR)
    for person in (eve, operator):
        with pytest.raises(NotFound):
            await replace_key(team.world.database, person.identity, ours.id, keep=timedelta(0))
    assert await team.works(ours)


async def test_the_list_tells_where_a_key_was_last_used(team: Team) -> None:
    made = await team.key()
    ingest = Ingest(team.world.database, ApiKeyVerifier(team.world.database), RateLimiter(Rate(per_second=9, burst=9)))
    key = await ingest.authenticate(made.token.get_secret_value(), address="203.0.113.7")
    await ingest.record_use(key)
    assert (await team.entries())[made.id].last_used_address == "203.0.113.7"
