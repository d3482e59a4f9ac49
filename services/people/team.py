"""Members of an organisation; row-level security and triggers decide what a user may change."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.errors import NotFound, PermissionDenied
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.people.models import Role

_TEAM = text("select * from public.team(:org)")
_CHANGE = text("update public.org_members set role = :role where org_id = :org and user_id = :user")
_REMOVE = text("delete from public.org_members where org_id = :org and user_id = :user")
_RENAME = text("update public.organizations set name = :name where id = :org")
_DELETE = text("delete from public.organizations where id = :org")
_AUTHORIZE_LINK = text("select private.authorize_password_link(:user)")
DELETE_TIMEOUT_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One member; `email` and `last_seen_at` are None unless an admin reads them."""

    user_id: UUID
    name: str
    email: str | None
    role: Role
    joined_at: datetime
    last_seen_at: datetime | None
    invited_by: str | None


async def members(database: Database, identity: Identity, org_id: UUID) -> list[Member]:
    """Read the members of an organisation of the user, sorted by name; empty for other organisations."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_TEAM, {"org": org_id})
        return [
            Member(
                user_id=row.user_id,
                name=row.name or row.email or "Member",
                email=row.email,
                role=Role(row.role),
                joined_at=row.joined_at,
                last_seen_at=row.last_seen_at,
                invited_by=row.invited_by,
            )
            for row in rows
        ]


async def change_role(database: Database, identity: Identity, org_id: UUID, user_id: UUID, role: Role) -> None:
    """Change a member's role.

    Raises:
        NotFound: The user is not an admin there, or the person is no longer a member.
        Conflict: The organisation would have no admin.
    """
    async with refusable(database, identity) as connection:
        changed = await connection.execute(_CHANGE, {"org": org_id, "user": user_id, "role": role.value})
        _check(changed, "The role was not changed: only admins change roles, and only of present members.")


async def remove(database: Database, identity: Identity, org_id: UUID, user_id: UUID) -> None:
    """Remove a member, or leave with the user's own id.

    Raises:
        NotFound: The user may not remove this person, or the person is no longer a member.
        Conflict: The organisation would have no admin.
    """
    async with refusable(database, identity) as connection:
        removed = await connection.execute(_REMOVE, {"org": org_id, "user": user_id})
        _check(removed, "Nobody was removed: only admins remove others, and the person may have left already.")


async def authorize_password_link(database: Database, identity: Identity, user_id: UUID) -> str:
    """Return the address of a person for whom the user may make a link to a new password, which is noted.

    Raises:
        PermissionDenied: The user is not an admin of every organisation of the person.
    """
    async with database.as_user(identity) as session:
        address = (await (await session.connection()).execute(_AUTHORIZE_LINK, {"user": user_id})).scalar_one()
    if address is None:
        raise PermissionDenied(
            "No link was made: this person also belongs to an organisation of which you are not an admin, and the link "
            "would open it, too. Whoever runs the server can make one: python main.py user reset EMAIL"
        )
    return str(address)


async def rename_organization(database: Database, identity: Identity, org_id: UUID, name: str) -> None:
    """Change an organisation's name; raises NotFound if the user is not an admin of it."""
    async with refusable(database, identity) as connection:
        renamed = await connection.execute(_RENAME, {"org": org_id, "name": name.strip()})
        _check(renamed, "The name was not changed: only admins rename an organisation.")


async def delete_organization(database: Database, identity: Identity, org_id: UUID) -> None:
    """Delete an organisation with everything in it; raises NotFound if the user is not an admin of it.

    All or nothing, so it may take longer than other statements.
    """
    async with refusable(database, identity) as connection:
        await connection.execute(text(f"set local statement_timeout = '{DELETE_TIMEOUT_SECONDS}s'"))
        deleted = await connection.execute(_DELETE, {"org": org_id})
        _check(deleted, "The organisation was not deleted: only its admins delete it, and it may be gone already.")


def _check(result: Any, message: str) -> None:
    if not result.rowcount:
        raise NotFound(message)
