"""What a report costs that begins a run, against one that updates a run, on a database of any size."""

import time
from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text

from benchmarks.history.measuring import Times
from services.auth.identity import Identity
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import Operation, Target
from services.ingest.reports import Answer, Ingest

JOBS = 50
UNLIMITED = Rate(per_second=1e9, burst=10**9)
_BUSIEST = text("""
    select slug from public.jobs where org_id = :org and kind = 'streams' order by run_count desc, slug limit :limit
""")


async def slugs_of_jobs(database: Database, identity: Identity, org_id: UUID) -> Sequence[str]:
    """Return the slugs of the jobs with the most runs, and of new ones where there are fewer than `JOBS`."""
    async with database.as_user(identity) as session:
        found = await (await session.connection()).execute(_BUSIEST, {"org": org_id, "limit": JOBS})
        return [*found.scalars(), *(f"new-{number}" for number in range(JOBS))][:JOBS]


async def reports(database: Database, key: IngestKey, slugs: Sequence[str], *, count: int, name: str) -> list[Times]:
    """Begin `count` runs by a report each, one after the other, then update each; returns the times of both."""
    ingest = Ingest(database, ApiKeyVerifier(database), RateLimiter(UNLIMITED))
    # Unlike those of any earlier measurement.
    nonce = f"{time.time_ns():x}"
    found = []
    for step, body in (("begin", {"completed": 1, "total": 1_000}), ("update", {"completed": 2})):
        times = []
        for number in range(count):
            slug = f"{slugs[number % len(slugs)]}@{nonce}-{number}"
            operation = Operation(target=Target.STREAMS, slug=slug, body=body)
            began = time.perf_counter()
            (outcome,) = await ingest.apply(key, [operation])
            times.append((time.perf_counter() - began) * 1000)
            if not isinstance(outcome, Answer) or outcome.is_new is not (step == "begin"):
                raise RuntimeError(f"The report that should {step} {slug} came to {outcome}.")
        found.append(Times(name=f"{step} a run, {name}", rows=1, milliseconds=sorted(times)))
    return found
