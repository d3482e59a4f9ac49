"""Organisations and memberships of a user, under row-level security."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.auth.identity import Identity
from services.infra.database import Database
from services.people.models import Organization, OrgMember, Profile, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One organisation of a user, with the user's role in it."""

    org_id: UUID
    name: str
    role: Role

    @property
    def may_write(self) -> bool:
        """Whether the role may change streams, scans and agent executions."""
        return self.role is not Role.VIEWER

    @property
    def is_admin(self) -> bool:
        """Whether the role may create ingest keys."""
        return self.role is Role.ADMIN


async def memberships(database: Database, identity: Identity) -> list[Membership]:
    """Read the user's memberships, sorted by the organisation's name."""
    async with database.as_user(identity) as session:
        rows = await session.exec(
            select(Organization, OrgMember)
            .join(OrgMember, col(OrgMember.org_id) == col(Organization.id))
            .where(OrgMember.user_id == identity.user_id)
            .order_by(col(Organization.name), col(Organization.id))
        )
        return [Membership(org_id=org.id, name=org.name, role=member.role) for org, member in rows]


async def create_organization(database: Database, identity: Identity, name: str) -> UUID:
    """Create an organisation with the user as its admin; returns its id."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        created = await connection.execute(text("select public.create_organization(:name)"), {"name": name})
        return UUID(str(created.scalar_one()))


async def fellow_names(database: Database, identity: Identity) -> dict[UUID, str]:
    """Read the display names of the user and all fellow members, by user id."""
    async with database.as_user(identity) as session:
        profiles = await session.exec(select(Profile))
        return {profile.user_id: profile.display_name for profile in profiles}
