"""Measures the queries of history: `python -m benchmarks.history [--scale 0.01] [--data FOLDER] [--explain FOLDER]`."""

import argparse
import asyncio
import gc
import platform
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import psutil
import psycopg

from benchmarks.__main__ import commit
from benchmarks.history.beginnings import reports, slugs_of_jobs
from benchmarks.history.measuring import HEAD, Times, explain, measure, sizes, write_plans
from benchmarks.history.queries import QUERIES
from benchmarks.history.scene import Query, Scene, set_scene
from benchmarks.organisation import Organisation, organisation_of
from benchmarks.organisation.__main__ import filled, print_made, scale
from benchmarks.stage import EMAIL
from local_supabase.process import LocalSupabase
from services.auth.client import Auth
from services.auth.identity import Identity
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.database import Database
from services.ingest.administration import create_key
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import KeyScope


async def main() -> None:
    """Measure, and print tables for docs/BENCHMARKS.md."""
    parser = _parser()
    arguments = parser.parse_args()
    wanted = [query for query in QUERIES if arguments.only in query.name]
    if not wanted:
        names = ", ".join(query.name for query in QUERIES)
        parser.error(f"no query has {arguments.only!r} in its name; their names are: {names}")
    print(
        f"Commit {commit()}, Python {platform.python_version()}, {psutil.cpu_count()} cores, "
        f"{psutil.virtual_memory().total / 2**30:.0f} GiB, load average {psutil.getloadavg()[0]:.1f} before the start\n"
    )
    with tempfile.TemporaryDirectory(prefix="livewatch-history-", ignore_cleanup_errors=True) as name:
        data = arguments.data or Path(name) / "data"
        async with stage(data) as (local, database, identity):
            organisation = await _organisation(local, data, arguments.scale, arguments.seed, identity.user_id)
            print(f"{await sizes(local.status.database_url.get_secret_value())}\n")
            key = await new_key(database, identity, organisation.id)
            scene = await set_scene(database, identity, key, organisation)
            # What was imported is not looked through again: a collection took 60 ms of some queries.
            gc.freeze()
            await measured(scene, wanted, arguments)
            print(f"\n{_memory(local)}\n", flush=True)
        if arguments.reports:
            async with stage(Path(name) / "none") as (local, database, identity):
                org_id = await new_organization(local, identity)
                key = await new_key(database, identity, org_id)
                print(HEAD)
                await _print_reports(database, identity, key, arguments.reports, "nothing before")


@asynccontextmanager
async def stage(data: Path) -> AsyncIterator[tuple[LocalSupabase, Database, Identity]]:
    """Yield a local Supabase, access to its database, and the identity of its first user, who has signed in."""
    async with LocalSupabase.start(data=data, migrations=MIGRATIONS, user=EMAIL, app_role=APP_ROLE) as local:
        status = local.status
        assert status.app_database_url
        assert status.demo_email
        assert status.demo_password
        async with Auth(url=status.api_url, key=status.anon_key) as auth, Database(status.app_database_url) as database:
            tokens = await auth.sign_in(status.demo_email, status.demo_password)
            yield local, database, tokens.identity


async def measured(scene: Scene, queries: Sequence[Query], arguments: argparse.Namespace) -> list[Times]:
    """Measure queries, then reports; print their times, and return them."""
    print(HEAD)
    found = []
    for query in queries:
        if arguments.explain:
            await asyncio.to_thread(write_plans, arguments.explain, query, await explain(scene, query))
        found.append(await measure(scene, query, arguments.runs))
        print(found[-1].row(), flush=True)
    if arguments.reports:
        name = f"scale {arguments.scale:g}"
        found += await _print_reports(scene.database, scene.identity, scene.key, arguments.reports, name)
    return found


async def new_key(database: Database, identity: Identity, org_id: UUID) -> IngestKey:
    """Create a key that may read and report runs."""
    scopes = (KeyScope.RUNS, KeyScope.READ)
    created = await create_key(database, identity, org_id, name="Benchmark", scopes=scopes)
    return await ApiKeyVerifier(database).verify(created.token.get_secret_value())


async def new_organization(local: LocalSupabase, identity: Identity) -> UUID:
    """Return an organisation that has nothing, of which the user is an admin."""
    url = local.status.database_url.get_secret_value()
    org_id = organisation_of(0, 0).id
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "insert into organizations (id, name) values (%s, 'Bench') on conflict do nothing", (org_id,)
        )
        await connection.execute(
            "insert into org_members (org_id, user_id, role) values (%s, %s, 'admin') on conflict do nothing",
            (org_id, identity.user_id),
        )
    return org_id


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--scale", type=scale, default=1.0, help="size of the organisation (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the organisation (default: 1)")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="data of the local Supabase, to use again (default: none)"
    )
    parser.add_argument("--explain", type=Path, metavar="FOLDER", help="folder for the plans (default: none)")
    parser.add_argument("--runs", type=int, default=50, help="runs of each query, at most for a minute (default: 50)")
    parser.add_argument(
        "--reports", type=int, default=2_000, help="reports that begin runs, 0 for none (default: 2000)"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only queries whose name contains this")
    return parser


async def _organisation(local: LocalSupabase, data: Path, scale: float, seed: int, owner: UUID) -> Organisation:
    """Return the organisation of the database, which is generated if there is none."""
    wanted = organisation_of(seed, scale, owner=owner)
    url = local.status.database_url.get_secret_value()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        found = await connection.execute("select id from organizations where id = %s", (wanted.id,))
        if await found.fetchone():
            return wanted
    made = await asyncio.to_thread(filled, local.status, data, scale, seed)
    print_made(made)
    return made


async def _print_reports(database: Database, identity: Identity, key: IngestKey, count: int, name: str) -> list[Times]:
    slugs = await slugs_of_jobs(database, identity, key.org_id)
    found = await reports(database, key, slugs, count=count, name=name)
    for times in found:
        print(times.row(), flush=True)
    return found


def _memory(local: LocalSupabase) -> str:
    """Return a sentence on the memory of PostgreSQL: what its processes have for themselves."""
    found = [each for each in psutil.Process(local.status.pid).children(recursive=True) if each.name() == "postgres"]
    unique = sum(each.memory_full_info().uss for each in found) / 2**20
    return f"{len(found)} processes of PostgreSQL have {unique:.0f} MiB for themselves."


if __name__ == "__main__":
    asyncio.run(main())
