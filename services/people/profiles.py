"""Profile of a user: display name and preferences."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import literal
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import col, update

from services.auth.identity import Identity
from services.errors import NotFound
from services.infra.database import Database
from services.people.models import Profile
from services.people.preferences import Preferences


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnProfile:
    """The user's own profile; `name` is the e-mail address while there is no profile row."""

    name: str
    preferences: Preferences


async def own_profile(database: Database, identity: Identity) -> OwnProfile:
    """Read the user's profile."""
    async with database.as_user(identity) as session:
        profile = await session.get(Profile, identity.user_id)
    if profile is None:
        return OwnProfile(name=identity.email, preferences=Preferences())
    return OwnProfile(name=profile.display_name, preferences=Preferences.read(profile.preferences))


async def rename(database: Database, identity: Identity, name: str) -> None:
    """Change the user's display name; raises NotFound if the user has no profile."""
    await _change(database, identity, {"display_name": name})


async def prefer(database: Database, identity: Identity, changes: Mapping[str, object]) -> None:
    """Update some preferences and keep the others, including those unknown to this version of the app.

    Raises NotFound if the user has no profile.
    """
    merged = col(Profile.preferences).concat(literal(dict(changes), JSONB))
    await _change(database, identity, {"preferences": merged})


async def _change(database: Database, identity: Identity, values: Mapping[str, object]) -> None:
    statement = update(Profile).where(col(Profile.user_id) == identity.user_id).values(dict(values))
    async with database.as_user(identity) as session:
        if not (await session.exec(statement)).rowcount:
            raise NotFound("Your user has no profile, so the change was not saved. Sign out, then sign in again.")
