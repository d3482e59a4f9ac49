"""Who is online: the people of all processes, each once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.auth.identity import Identity
from services.entities import VIEWERS, Viewer, ViewerPlace, Viewers
from services.infra.database import Database
from services.lists.as_member import read_as_member


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlinePerson:
    """A person with windows in any process; idle if none of them is in use. Places in use come first."""

    user_id: UUID
    name: str
    since: datetime
    is_idle: bool
    places: tuple[ViewerPlace, ...]


async def read_online_people(database: Database, identity: Identity, org_id: UUID) -> list[OnlinePerson]:
    """Read who is online in an organisation, as a member; raises PermissionDenied and DatabaseUnavailable."""
    query = f"select coalesce(jsonb_agg(to_jsonb(one)), '[]') from public.{VIEWERS.table} as one where org_id = %(org)s"
    rows = await read_as_member(database, identity, org_id, query, {"org": org_id})
    return online_people(map(Viewers.model_validate, rows))


def online_people(rows: Iterable[Viewers]) -> list[OnlinePerson]:
    """Return the people of the rows, each once, sorted by name."""
    by_person: dict[UUID, list[Viewer]] = {}
    for row in sorted(rows, key=lambda row: row.process):
        for person in row.people:
            by_person.setdefault(person.user_id, []).append(person)
    people = [_merged(each) for each in by_person.values()]
    return sorted(people, key=lambda person: (person.name.casefold(), person.user_id))


def _merged(viewers: list[Viewer]) -> OnlinePerson:
    places: dict[tuple[str, UUID | None], ViewerPlace] = {}
    for place in (place for viewer in viewers for place in viewer.places):
        key = (place.path, place.selected)
        if key not in places or places[key].is_idle:
            places[key] = place
    return OnlinePerson(
        user_id=viewers[0].user_id,
        name=viewers[0].name,
        since=min(viewer.since for viewer in viewers),
        is_idle=all(viewer.is_idle for viewer in viewers),
        places=tuple(sorted(places.values(), key=lambda place: (place.is_idle, place.title, place.path))),
    )
