"""List addresses: where the lists of runs show what a rule is for."""

from urllib.parse import urlencode
from uuid import UUID

from sqlalchemy import text

from services.auth.identity import Identity
from services.entities import RUNS
from services.entities.base.listing import JOB_FACET
from services.infra.database import Database
from services.rules.terms.run_filter import RunFilter

_JOBS = text("select kind, id from public.jobs where org_id = :org and slug = :slug")


async def list_addresses(
    database: Database, identity: Identity, org_id: UUID, run_filter: RunFilter
) -> list[tuple[str, str]]:
    """Return the label and the address of each list that shows what a filter matches.

    A kind of run that has no job of the filter's slug is left out. Raises DatabaseUnavailable.
    """
    jobs: dict[str, str] = {}
    if run_filter.job:
        async with database.as_user(identity) as session:
            rows = await (await session.connection()).execute(_JOBS, {"org": org_id, "slug": run_filter.job})
            jobs = {kind: str(id) for kind, id in rows}
    found = []
    for kind, query in run_filter.queries.items():
        if not run_filter.job or kind in jobs:
            params = query.params | ({JOB_FACET: jobs[kind]} if run_filter.job else {})
            found.append((RUNS[kind].label, (RUNS[kind].tab or "/") + (f"?{urlencode(params)}" if params else "")))
    return found
