"""The audit log of an organisation, which the database writes and its admins read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import TextClause, text

from services.auth.identity import Identity
from services.errors import LivewatchError
from services.infra.claims import Anonymous, Claimant
from services.infra.database import Database

logger = structlog.get_logger(__name__)

PAGE_EVENTS = 100
ACTIONS = {
    "member.added": "added a member",
    "member.removed": "removed a member",
    "member.left": "left",
    "member.role_changed": "changed a role",
    "invitation.created": "invited",
    "invitation.accepted": "accepted an invitation",
    "invitation.renewed": "renewed an invitation",
    "invitation.revoked": "revoked an invitation",
    "key.created": "created a key",
    "key.replaced": "replaced a key",
    "key.expires": "set the end of a key",
    "key.revoked": "revoked a key",
    "organization.created": "created the organisation",
    "organization.renamed": "renamed the organisation",
    "retention.changed": "changed the data retention",
    "streams.deleted": "deleted streams",
    "acquisition_scans.deleted": "deleted scans",
    "agent_executions.deleted": "deleted runs",
    "session.opened": "signed in",
    "session.refused": "failed to sign in",
    "password.requested": "asked for a new password",
    "password.link_created": "made a link to a new password",
    "password.set": "set a password by a link",
    "account.opened": "opened an account",
    "list.exported": "exported a list",
    "password.changed": "changed the password",
    "email.changed": "changed the e-mail address",
    "session.ended": "ended a session",
    "sessions.ended": "signed out everywhere else",
}
"""What an actor did, by action."""

_EVENTS = text("""
    select id, at, actor, host(address) as address, action, subject, before, after
    from public.audit_events
    where org_id = :org and (cast(:before as bigint) is null or id < :before)
        and (:pattern = '' or concat_ws(' ', actor, action, subject, before, after) ilike :pattern)
    order by id desc limit :limit
""")
_SIGNED_IN = text("select private.note_sign_in()")
_REFUSED = text("select private.note_failed_sign_in(:account, :address)")
_PASSWORD_REQUESTED = text("select private.note_password_request(:account, :address)")
_PASSWORD_SET = text("select private.note_password_set()")
_ACCOUNT_OPENED = text("select private.note_account_opened()")
_ACCOUNT = text("select private.note_account(:action)")
_EXPORTED = text("select private.note_export(:org, :list, cast(:filter as jsonb))")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event; `before` and `after` are the changed values, `address` is where the actor's session was last used."""

    id: int
    at: datetime
    actor: str
    address: str | None
    action: str
    subject: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None

    @property
    def sentence(self) -> str:
        """What the actor did, such as `changed a role`."""
        return ACTIONS.get(self.action, self.action)


async def audit_events(
    database: Database,
    identity: Identity,
    org_id: UUID,
    *,
    search: str = "",
    before: int | None = None,
    limit: int = PAGE_EVENTS,
) -> list[AuditEvent]:
    """Read events of an organisation, latest first; empty if the user is not an admin.

    Args:
        database: Database of the log.
        identity: The user.
        org_id: The organisation.
        search: Text that an event must contain; any by default.
        before: Only events before the one with this id.
        limit: How many at most.
    """
    escaped = search.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    values = {"org": org_id, "before": before, "pattern": f"%{escaped}%" if escaped else "", "limit": limit}
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_EVENTS, values)
        return [AuditEvent(**row._mapping) for row in rows]


async def note_sign_in(database: Database, identity: Identity) -> None:
    """Note that the user has signed in; a database that is away keeps nobody out."""
    try:
        async with database.as_user(identity) as session:
            await (await session.connection()).execute(_SIGNED_IN)
    except LivewatchError as error:
        logger.warning("sign-in not in the audit log", cause=str(error))


async def note_failed_sign_in(database: Database, account: str, *, address: str) -> None:
    """Note a failed sign-in in the logs of the organisations of an account, if there is one."""
    try:
        async with database.as_user(Anonymous()) as session:
            await (await session.connection()).execute(_REFUSED, {"account": account, "address": address})
    except LivewatchError as error:
        logger.warning("failed sign-in not in the audit log", cause=str(error))


async def note_password_request(database: Database, account: str, *, address: str) -> None:
    """Note that a link to a new password was asked for, in the logs of the organisations of an account."""
    await _note(database, Anonymous(), _PASSWORD_REQUESTED, {"account": account, "address": address})


async def note_password_set(database: Database, identity: Identity) -> None:
    """Note that the user has set a password by a link."""
    await _note(database, identity, _PASSWORD_SET)


async def note_account_opened(database: Database, identity: Identity) -> None:
    """Note that the user has opened an account, in the logs of the organisations that it has joined."""
    await _note(database, identity, _ACCOUNT_OPENED)


async def note_account(database: Database, identity: Identity, action: str) -> None:
    """Note what the user did with the own account: `password.changed`, `email.changed` or `sessions.ended`."""
    await _note(database, identity, _ACCOUNT, {"action": action})


async def note_export(database: Database, identity: Identity, org_id: UUID, *, list: str, filter: str) -> None:
    """Note that the user exports a list; `filter` is JSON. Raises DatabaseUnavailable."""
    async with database.as_user(identity) as session:
        await (await session.connection()).execute(_EXPORTED, {"org": org_id, "list": list, "filter": filter})


async def _note(
    database: Database, claimant: Claimant, statement: TextClause, values: Mapping[str, object] | None = None
) -> None:
    """Note an event; a database that is away keeps nobody out."""
    try:
        async with database.as_user(claimant) as session:
            await (await session.connection()).execute(statement, values or {})
    except LivewatchError as error:
        logger.warning("event not in the audit log", cause=str(error))
