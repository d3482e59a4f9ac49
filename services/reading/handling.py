"""Taking and resolving runs for the team, by a key of the scope `commands`."""

from typing import Literal
from uuid import UUID

from services.errors import DatabaseUnavailable, IngestRefused
from services.infra.claims import Claimant
from services.infra.database import Database
from services.ingest import Code
from services.reading.addresses import row_id
from services.reading.as_key import UNAVAILABLE_RETRY_SECONDS
from services.reading.resources import Resource

MAX_NOTE = 2000

HandlingByKey = Literal["open", "taken", "resolved"]


async def handle_run(
    database: Database,
    key: Claimant,
    resource: Resource,
    *,
    org_id: UUID,
    name: str,
    handling: HandlingByKey,
    note: str = "",
) -> tuple[UUID, bool]:
    """Take, open again or resolve a run, which its thread then says; returns its id, and whether anything changed.

    Args:
        database: Where to write.
        key: The key, in whose name it is done.
        resource: The kind of run.
        org_id: The key's organisation.
        name: Address of the run, see `row_id`.
        handling: What is done.
        note: What to say about it, at most `MAX_NOTE` characters.

    Raises:
        IngestRefused: There is no such run, or the database did not respond.
    """
    run, values = row_id(resource, org_id, name)
    # In two steps: the key finds the run by what it may read.
    query = (
        "select jsonb_build_object('id', run.id, 'changed', private.handle_by_key("
        f"%(org)s, '{resource.entity.table}', run.id, %(handling)s, %(note)s)) "
        f"from public.{resource.entity.table} as run where run.org_id = %(org)s and run.id = ({run})"
    )
    try:
        found = await database.call(
            key, f"select ({query})", {**values, "handling": handling, "note": note.replace("\0", "")}
        )
    except DatabaseUnavailable as error:
        raise IngestRefused(
            Code.UNAVAILABLE, f"Nothing was done; try again. {error}", retry_after=UNAVAILABLE_RETRY_SECONDS
        ) from error
    if found is None or found["changed"] is None:
        raise IngestRefused(Code.NOT_FOUND, f"There is no {resource.noun} “{name[:140]}”, or it was deleted.")
    return UUID(found["id"]), bool(found["changed"])
