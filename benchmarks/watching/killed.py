"""Kills the process that applies rules and delivers: `python -m benchmarks.watching.killed [--kills 50]`.

Counts how often each event arrived at a webhook: none may be lost, and those that arrived twice are what at-least-once
delivery costs.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from benchmarks.__main__ import commit
from benchmarks.stage import own_world
from services.delivery.channel_kind import ChannelKind
from services.delivery.channels import ChannelDraft, put_channel
from services.delivery.deliverer import Couriers, Deliverer
from services.delivery.sealing import Sealer
from services.infra.database import Database
from services.people.models import Role
from services.rules.engine import RuleEngine
from services.rules.rule import Rule
from services.rules.rules import put_rule
from tests.world import World, until

SECRET = SecretStr("the secret of a benchmark's channels")
CLAIM_SECONDS = 1.0
INTERVAL = 0.05
ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """How often each message arrived, by its `webhook-id`, and the names of the runs that were told."""

    arrivals: Counter[str] = field(default_factory=Counter)
    told: set[str] = field(default_factory=set)
    kills: int = 0

    @property
    def doubles(self) -> int:
        """Messages that arrived more than once."""
        return sum(count > 1 for count in self.arrivals.values())


async def kill_and_count(world: World, *, kills: int, events_between: int, seed: int = 0) -> tuple[int, Outcome]:
    """Write events while a worker is killed at random; returns their number, and what arrived.

    Args:
        world: The database, which no other engine of rules uses.
        kills: How often the worker is killed.
        events_between: Events between two kills.
        seed: Of the random times.
    """
    dice, outcome = random.Random(seed), Outcome()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r")[0])
            body = json.loads(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()  # killed while it sent
            return
        outcome.arrivals[head.partition("webhook-id: ")[2].partition("\r")[0]] += 1
        outcome.told |= {line["title"].partition(" failed")[0] for line in body["events"]}
        await asyncio.sleep(dice.uniform(0, 0.05))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    server = await asyncio.start_server(take, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    draft = ChannelDraft(name="Hook", kind=ChannelKind.WEBHOOK, address=SecretStr(url), max_per_hour=3600)
    channel, _ = await put_channel(world.database, ada.identity, org, draft, Sealer(SECRET))
    given = {"name": "All", "events": ["failed"], "channels": [str(channel)], "pace": "at_once"}
    await put_rule(world.database, ada.identity, org, Rule.parse(given))
    names: list[str] = []
    for _ in range(kills):
        worker = await _worker(world)
        for _ in range(events_between):
            names.append(f"run-{len(names)}")
            await _fail(world, org, names[-1])
            await asyncio.sleep(dice.uniform(0, 0.03))
        await asyncio.sleep(dice.uniform(0, 0.3))
        worker.kill()
        await worker.wait()
        outcome.kills += 1
    worker = await _worker(world)
    try:
        await until(lambda: outcome.told >= set(names), within=60, what="all events")
    finally:
        worker.kill()
        await worker.wait()
        server.close()
    return len(names), outcome


async def _fail(world: World, org: UUID, name: str) -> None:
    await world.sql(
        "insert into streams (org_id, name, slug, goal_status) values (%s, %s, %s, 'blocked')", org, name, name
    )


async def _worker(world: World) -> asyncio.subprocess.Process:
    assert world.status.app_database_url
    environment = {**os.environ, "LIVEWATCH_BENCH_DATABASE": world.status.app_database_url.get_secret_value()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.watching.killed",
        "--worker",
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout
    await process.stdout.readline()
    return process


async def work() -> None:
    """Apply rules and deliver until killed."""
    async with Database(SecretStr(os.environ["LIVEWATCH_BENCH_DATABASE"])) as database:
        couriers = Couriers(Sealer(SECRET), None, allow_private=True)
        async with (
            RuleEngine(database, address="", interval=INTERVAL),
            Deliverer(database, couriers, interval=INTERVAL, claim_seconds=CLAIM_SECONDS),
        ):
            print("ready", flush=True)
            await asyncio.Event().wait()


async def main() -> None:
    """Print what arrived."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--events", type=int, default=20, help="between two kills")
    parser.add_argument("--worker", action="store_true")
    given = parser.parse_args()
    if given.worker:
        await work()
        return
    with tempfile.TemporaryDirectory(prefix="livewatch-killed-", ignore_cleanup_errors=True) as name:
        async with own_world(Path(name)) as world:
            count, outcome = await kill_and_count(world, kills=given.kills, events_between=given.events)
            [[doubted]] = await world.sql("select count(*) from deliveries where may_be_double")
    print(
        f"Commit {commit()}: {count} events, {outcome.kills} kills: {len(outcome.arrivals)} messages, none lost, "
        f"{outcome.doubles} arrived more than once, {doubted} marked as such"
    )


if __name__ == "__main__":
    asyncio.run(main())
