"""Retention periods of an organisation, which members read and admins set."""

from dataclasses import asdict, dataclass
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.infra.database import Database

MAX_DAYS = 36_500

_CHOSEN = text("""
    select runs_days, alerts_days, events_days, unreachable_days, audit_days from public.retention where org_id = :org
""")
_CHOOSE = text("""
    insert into public.retention (org_id, runs_days, alerts_days, events_days, unreachable_days, audit_days)
    values (:org, :runs_days, :alerts_days, :events_days, :unreachable_days, :audit_days)
    on conflict (org_id) do update set
        runs_days = excluded.runs_days, alerts_days = excluded.alerts_days, events_days = excluded.events_days,
        unreachable_days = excluded.unreachable_days, audit_days = excluded.audit_days
""")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionChoice:
    """Retention periods in days; None keeps rows forever. The defaults equal those of the database.

    `unreachable_days` is the time after which an unreachable run counts as over; None never ends one.
    """

    runs_days: int | None = 90
    alerts_days: int | None = 90
    events_days: int | None = 30
    unreachable_days: int | None = 7
    audit_days: int | None = 365


async def chosen_retention(database: Database, identity: Identity, org_id: UUID) -> RetentionChoice:
    """Read the retention periods of the organisation; raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        row = (await (await session.connection()).execute(_CHOSEN, {"org": org_id})).one_or_none()
        return RetentionChoice(**row._mapping) if row else RetentionChoice()


async def choose_retention(database: Database, identity: Identity, org_id: UUID, choice: RetentionChoice) -> None:
    """Set the retention periods of the organisation; raises PermissionDenied if the user is not an admin."""
    async with database.as_user(identity) as session:
        await (await session.connection()).execute(_CHOOSE, {"org": org_id, **asdict(choice)})
