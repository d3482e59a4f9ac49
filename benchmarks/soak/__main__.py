"""Command line of the soak, `python -m benchmarks.soak [--minutes 30] [--seed N]`; exit code 1 if a condition fails.

`--each` has every fault once instead, or those whose name contains the given text.
"""

import argparse
import asyncio
import math
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from playwright.async_api import async_playwright

from benchmarks.__main__ import commit
from benchmarks.soak.faults import FAULTS
from benchmarks.soak.soak import COUNTED, TOKEN_SECONDS, Measurement, Soak, shuffled, soaking, tracebacks
from local_supabase.process import LocalSupabase
from services.auth.client import Auth
from services.infra.backend import APP_ROLE, MIGRATIONS
from services.infra.database import Database
from tests.browser import ADVICE, FLAGS, find
from tests.world import World

WARM_UP = (
    "refused 5 s: browser",
    "refused 5 s: Realtime",
    "refused 5 s: PostgreSQL",
    "database sessions terminated",
    "reset: browser",
    "reset: Realtime",
    "a row of 2 MB",
)
"""Faults after which pools and caches are filled, and the heap has had its largest messages."""


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="duration of the faults (default: 30)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="seed of their order and pauses")
    parser.add_argument(
        "--each", nargs="*", metavar="TEXT", help="every fault once, or those whose names contain one of the texts"
    )
    arguments = parser.parse_args()
    # So that the app and its Supabase end with the soak.
    task = asyncio.current_task()
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    chance = random.Random(arguments.seed)
    texts = arguments.each
    chosen = [name for name in FAULTS if not texts or any(text in name for text in texts)]
    names, seconds = (shuffled(FAULTS, chance), arguments.minutes * 60) if texts is None else (chosen, math.inf)
    length = f"{arguments.minutes:g} min" if texts is None else f"{len(chosen)} faults"
    print(f"Commit {commit()}, seed {arguments.seed}, {length}\n", flush=True)
    executable = find() or sys.exit(ADVICE)
    with tempfile.TemporaryDirectory(prefix="livewatch-soak-") as name:
        folder = Path(name)
        async with (
            LocalSupabase.start(
                data=folder / "data", migrations=MIGRATIONS, app_role=APP_ROLE, token_lifetime=TOKEN_SECONDS
            ) as local,
            Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
            Database(local.status.app_database_url or sys.exit("no app role")) as database,
            World(folder / "data", local, auth, database) as world,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
            async with soaking(world, browser, folder / "app") as soak:
                await warm_up(soak)
                told = 0
                async for measured in soak.run(names, chance, seconds=seconds):
                    print(f"{time.strftime('%H:%M:%S')} {line(measured.fault, [measured])}", flush=True)
                    new = tracebacks(soak.app.lines)[told:]
                    told += len(new)
                    print("\n".join(new), end="\n" if new else "", flush=True)
                await soak.finish()
            report(soak)
            await browser.close()
    return 1 if soak.problems else 0


async def warm_up(soak: Soak) -> None:
    """Fill the app's pools and caches by faults and renewals of tokens, then note its resources."""
    ends_at = time.monotonic() + TOKEN_SECONDS
    for name in WARM_UP:
        print(line(name, [await soak.suffer(name, FAULTS[name])]), flush=True)
    await asyncio.sleep(max(0.0, ends_at - time.monotonic()))
    soak.measurements.clear()
    print("\nWarmed up\n", flush=True)
    await soak.start()


def report(soak: Soak) -> None:
    """Print the table, the resources and the conditions that failed."""
    print(f"\n{'fault':<42} {'times':>5} {'told, s':>12} {'lie, s':>7} {'equal, s':>9}")
    by_fault: dict[str, list[Measurement]] = defaultdict(list)
    for each in soak.measurements:
        by_fault[each.fault].append(each)
    for name in FAULTS:
        if name in by_fault:
            print(line(name, by_fault[name]))
    print(f"\n{'':<16} {'warmed up':>10} {'at the end':>10}")
    for name in ("memory", "database connections", *COUNTED):
        print(f"{name:<16} {soak.before[name]:>10.0f} {soak.after.get(name, 0):>10.0f}")
    print(f"\n{soak.writer.changes:,} changes, {len(soak.measurements)} faults, {soak.windows.loads} page loads")
    print("\n".join(["Failed:", *soak.problems]) if soak.problems else "All conditions hold")


def line(name: str, measured: list[Measurement]) -> str:
    """Return the ranges of a fault's measurements as a line of the table."""
    told = [each.told for each in measured if each.told is not None]
    equal = [each.equal for each in measured]
    said = f"{min(told):.1f} to {max(told):.1f}" if told else "-"
    slowest = "never" if None in equal else f"{max(each or 0.0 for each in equal):.1f}"
    return f"{name:<42} {len(measured):>5} {said:>12} {max(each.lie for each in measured):>7.1f} {slowest:>9}"


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
