"""The organisations of a person, as row-level security shows them."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from services.auth.identity import Identity
from services.infra.database import Database
from services.people.models import Organization, OrgMember, Profile, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """One organisation of a person, and what they may do there."""

    org_id: UUID
    name: str
    role: Role

    @property
    def may_write(self) -> bool:
        """Whether the role may change streams, scans and agent executions."""
        return self.role is not Role.VIEWER

    @property
    def is_admin(self) -> bool:
        """Whether the role may make keys."""
        return self.role is Role.ADMIN


async def memberships(database: Database, identity: Identity) -> list[Membership]:
    """The person's organisations, by name."""
    async with database.as_user(identity) as session:
        rows = await session.exec(
            select(Organization, OrgMember)
            .join(OrgMember, col(OrgMember.org_id) == col(Organization.id))
            .where(OrgMember.user_id == identity.user_id)
            .order_by(col(Organization.name), col(Organization.id))
        )
        return [Membership(org_id=org.id, name=org.name, role=member.role) for org, member in rows]


async def create_organization(database: Database, identity: Identity, name: str) -> UUID:
    """Make an organisation with the person as its admin; returns its id."""
    async with database.as_user(identity) as session:
        connection = await session.connection()
        created = await connection.execute(text("select public.create_organization(:name)"), {"name": name})
        return UUID(str(created.scalar_one()))


async def fellow_names(database: Database, identity: Identity) -> dict[UUID, str]:
    """The names of the person and of all fellow members, by user id."""
    async with database.as_user(identity) as session:
        profiles = await session.exec(select(Profile))
        return {profile.user_id: profile.display_name for profile in profiles}
