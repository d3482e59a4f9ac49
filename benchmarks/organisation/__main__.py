"""Generates an organisation in a local Supabase: `python -m benchmarks.organisation --data FOLDER [--scale 0.01]`."""

import argparse
import asyncio
from pathlib import Path

import psycopg

from benchmarks.organisation import MIN_SCALE, Organisation, generate
from benchmarks.organisation.loading import large_log, superuser_url
from benchmarks.stage import EMAIL
from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.infra.backend import APP_ROLE, MIGRATIONS

MAX_SCALE = 10.0


async def main() -> None:
    """Generate, and print what was made and how long it took."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.organisation", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="data of the local Supabase")
    parser.add_argument("--scale", type=scale, default=1.0, help="size as a part of the full one (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all chance (default: 1)")
    arguments = parser.parse_args()
    async with LocalSupabase.start(data=arguments.data, migrations=MIGRATIONS, user=EMAIL, app_role=APP_ROLE) as local:
        print_made(await asyncio.to_thread(filled, local.status, arguments.data, arguments.scale, arguments.seed))


def scale(given: str) -> float:
    """Return the scale of an argument."""
    try:
        found = float(given)
    except ValueError:
        found = 0.0
    if not MIN_SCALE <= found <= MAX_SCALE:
        raise argparse.ArgumentTypeError(f"{given} is no scale: use a number from {MIN_SCALE} to {MAX_SCALE:g}")
    return found


def filled(status: LocalSupabaseStatus, data: Path, scale: float, seed: int) -> Organisation:
    """Generate an organisation of the local Supabase's first user."""
    with psycopg.connect(superuser_url(status, data), autocommit=True) as connection, large_log(connection):
        found = connection.execute("select id from auth.users where email = %s", (status.demo_email,)).fetchone()
        return generate(connection, scale, seed, owner=found[0] if found else None)


def print_made(made: Organisation) -> None:
    """Print rows and seconds by table."""
    print(f"Organisation {made.id}\n\n| table | rows | s |\n|---|---|---|")
    for name, seconds in made.seconds.items():
        print(
            f"| {name} | {made.counts.get(name, ''):,} | {seconds:.1f} |"
            if name in made.counts
            else f"| {name} | | {seconds:.1f} |"
        )
    print(f"| together | {sum(made.counts.values()):,} | {sum(made.seconds.values()):.1f} |\n")


if __name__ == "__main__":
    asyncio.run(main())
