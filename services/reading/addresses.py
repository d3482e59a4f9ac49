"""The row that an address means: a slug, an id, or of a job its current run or the run of a number."""

from typing import Any
from uuid import UUID

from services.infra.claims import Claimant
from services.infra.database import Database
from services.reading.resources import STREAM_RESOURCE, Resource
from services.text import storable, uuid_of

MAX_NUMBER_DIGITS = 9


async def find_stream(database: Database, claimant: Claimant, org_id: UUID, name: str) -> UUID | None:
    """Return the id of the stream that an address means; None if there is none, or the claimant may not see it."""
    query, values = row_id(STREAM_RESOURCE, org_id, storable(name))
    found: UUID | None = await database.call(claimant, query, values)
    return found


def row_id(resource: Resource, org_id: UUID, name: str) -> tuple[str, dict[str, Any]]:
    """Return SQL of the id of a row, null if there is none, and its values.

    A run's own slug comes first, also one that looks like an id; then its id; then `job`, for the newest run of a job,
    and `job@number` and `job@id`. Other rows have an id alone, that of their event.
    """
    table, id = f"public.{resource.entity.table}", uuid_of(name)
    values: dict[str, Any] = {"org": org_id, "name": name, "id": id}
    if not resource.is_run:
        of_event = "" if resource.key == "id" else "event_id = %(id)s or event_id is null and "
        return f"select id from {table} where org_id = %(org)s and ({of_event}id = %(id)s) limit 1", values
    job, at, key = name.partition("@")
    values |= {"job": job, "kind": resource.name}
    condition = "true"
    if at and key.isascii() and key.isdigit() and len(key) <= MAX_NUMBER_DIGITS:
        condition, values["number"] = "run.number = %(number)s", int(key)
    elif at:
        condition, values["run"] = "run.id = %(run)s", uuid_of(key)
    return (
        f"select coalesce((select id from {table} where org_id = %(org)s and slug = %(name)s), "
        f"(select id from {table} where org_id = %(org)s and id = %(id)s), "
        f"(select run.id from {table} as run join public.jobs as job on job.id = run.job_id "
        f"where job.org_id = %(org)s and job.kind = %(kind)s and job.slug = %(job)s and {condition} "
        "order by run.number desc limit 1))",
        values,
    )
