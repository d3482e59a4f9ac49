"""Rules of an organisation, read and written as a person."""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotAccepted, NotFound
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.rules.rule import Rule

_READ = text("""
    select one.*, (
        select count(*) from public.firings as each
        where each.rule_id = one.id and each.at > now() - interval '7 days'
    ) as fired, (select max(each.at) from public.firings as each where each.rule_id = one.id) as last_fired_at
    from public.rules as one where one.org_id = :org order by lower(one.name), one.id
""")
_PUT = text("""
    select public.put_rule(:org, :rule, :name, cast(:events as text[]), cast(:definition as jsonb), :enabled)
""")
_SNOOZE = text("select public.snooze_rule(:org, :rule, cast(:until as timestamptz))")
_REMOVE = text("select public.remove_rule(:org, :rule)")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRule:
    """A rule of an organisation.

    `rule` is None if it cannot be read, and `fault` then says why. `fired` is how often it fired within 7 days, and
    `last_fired_at` when it did last, of what the user may see.
    """

    id: UUID
    name: str
    rule: Rule | None
    fault: str
    is_enabled: bool
    snoozed_until: datetime | None
    fired: int
    last_fired_at: datetime | None


async def rules(database: Database, identity: Identity, org_id: UUID) -> list[StoredRule]:
    """Read the rules of an organisation by name; raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        rows = (await (await session.connection()).execute(_READ, {"org": org_id})).mappings().all()
    found = []
    for row in rows:
        rule, fault = None, ""
        try:
            rule = Rule.of_record(dict(row))
        except NotAccepted as error:
            fault = str(error)
        names = ("id", "name", "is_enabled", "snoozed_until", "fired", "last_fired_at")
        found.append(StoredRule(rule=rule, fault=fault, **{name: row[name] for name in names}))
    return found


async def put_rule(
    database: Database, identity: Identity, org_id: UUID, rule: Rule, *, id: UUID | None = None, is_enabled: bool = True
) -> UUID:
    """Create a rule, or change the one with `id`; returns its id.

    Raises:
        PermissionDenied: The user is no operator and no admin, or no admin and the rule passes on alerts.
        NotFound: The rule was removed.
        DatabaseUnavailable: PostgreSQL did not respond.
    """
    values = {
        "org": org_id,
        "rule": id,
        "name": rule.name,
        "events": sorted(event.value for event in rule.events),
        "definition": json.dumps(rule.definition),
        "enabled": is_enabled,
    }
    async with refusable(database, identity) as connection:
        return UUID(str((await connection.execute(_PUT, values)).scalar_one()))


async def snooze_rule(
    database: Database, identity: Identity, org_id: UUID, id: UUID, *, until: datetime | None
) -> None:
    """Silence a rule until a time, or end that with None; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        if not (await connection.execute(_SNOOZE, {"org": org_id, "rule": id, "until": until})).scalar_one():
            raise NotFound("The rule was removed by somebody else.")


async def remove_rule(database: Database, identity: Identity, org_id: UUID, id: UUID) -> None:
    """Remove a rule with what it has yet to tell; raises PermissionDenied, or NotFound if it is gone."""
    async with refusable(database, identity) as connection:
        if not (await connection.execute(_REMOVE, {"org": org_id, "rule": id})).scalar_one():
            raise NotFound("The rule was removed by somebody else.")
