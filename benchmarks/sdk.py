"""Benchmarks of the SDK and the ingest API: overhead of a tracked loop, throughput, recovery after an outage."""

import asyncio
import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

from benchmarks.cpu import cpu_seconds, per_thousand
from benchmarks.stage import EMAIL, ORG, free_port
from local_supabase.status import LocalSupabaseStatus
from services.auth.client import Auth
from services.infra.database import Database
from services.ingest.administration import create_key
from tests.app_process import OURS, ROOT, AppProcess, project_settings, running
from tests.world import until

CONNECTIONS = 8
BATCH = 100
UPDATES = 10_000
# Rate limits high enough not to be measured.
UNLIMITED = {"LIVEWATCH_INGEST_RATE": "100000", "LIVEWATCH_INGEST_BURST": "100000"}


async def sdk(status: LocalSupabaseStatus, seconds: float, folder: Path, *, quick: bool) -> None:
    """Run all measurements against the app in a separate process."""
    token = await ingest_key(status)
    environment = {**project_settings(status, folder / "sdk"), **UNLIMITED}
    async with running(environment) as app:
        variables = {"LIVEWATCH_URL": app.url, "LIVEWATCH_KEY": token, "LIVEWATCH_SPOOL": str(folder / "loops.sqlite")}
        await overhead(variables, rounds=4 if quick else 16)
        await throughput(app, token, seconds)
    for is_killed in (False, True):
        await outage(status, environment, token, folder, is_killed=is_killed)
    print()


async def ingest_key(status: LocalSupabaseStatus) -> str:
    """Create an ingest key as the benchmark user; returns its token."""
    assert status.app_database_url
    assert status.demo_password
    async with (
        Auth(url=status.api_url, key=status.anon_key) as auth,
        Database(status.app_database_url) as database,
    ):
        identity = (await auth.sign_in(EMAIL, status.demo_password)).identity
        return (await create_key(database, identity, ORG, name="Bench")).token.get_secret_value()


async def overhead(variables: Mapping[str, str], *, rounds: int) -> None:
    """Print the overhead of a loop of a million steps in four variants, each round relative to its own bare loop.

    The fastest rounds are compared too, because a noisy machine affects them least.
    """
    output = await python(variables, "-m", "benchmarks.sdk_loops", "--steps", "1000000", "--rounds", str(rounds))
    times: dict[str, list[float]] = json.loads(output)
    bare = statistics.median(times["bare"])
    print(f"A loop of 1,000,000 steps of {bare:.2f} µs, reported to the app; medians of {rounds} rounds")
    for name, taken in times.items():
        more = statistics.median(each / base - 1 for each, base in zip(taken, times["bare"], strict=True))
        least = min(taken) / min(times["bare"]) - 1
        print(
            f"  {name:<16} {statistics.median(taken):.3f} s  {more * 100:+5.1f} %  {more * bare * 1000:+6.0f} ns a step"
            f"  (fastest rounds {least * 100:+.1f} %)"
        )
    print()


async def throughput(app: AppProcess, token: str, seconds: float) -> None:
    """Print throughput, latency and CPU of the ingest API with several clients that each wait for the response."""
    print(f"Ingest API with {CONNECTIONS} connections that wait for each response, {seconds:.0f} s per line")
    for name, batch, runs in (
        ("single requests", None, 1),
        (f"batches of {BATCH}, one run each", BATCH, 1),
        (f"batches of {BATCH}, {BATCH} runs each", BATCH, BATCH),
    ):
        before = cpu_seconds(app.pid)
        times = await asyncio.gather(
            *(send_requests(app.url, token, seconds, n, batch=batch, runs=runs) for n in range(CONNECTIONS))
        )
        after = cpu_seconds(app.pid)
        taken = [each for connection in times for each in connection]
        print_throughput(name, taken, seconds, batch or 1)
        print(f"    CPU seconds per 1,000 operations: {per_thousand(before, after, len(taken) * (batch or 1))}")
    print()


def print_throughput(name: str, times: list[float], seconds: float, each: int) -> None:
    """Print a line with the number of requests, throughput and latency."""
    cuts = statistics.quantiles(times, n=100)
    p50, p95, p99, most = (each * 1000 for each in (cuts[49], cuts[94], cuts[98], max(times)))
    rate = len(times) / seconds
    print(
        f"  {name:<30} n {len(times):6}  {rate:7.0f} requests/s  {rate * each:7.0f} operations/s  "
        f"p50 {p50:6.1f} ms  p95 {p95:6.1f}  p99 {p99:6.1f}  max {most:6.1f}"
    )


async def send_requests(
    url: str, token: str, seconds: float, number: int, *, batch: int | None, runs: int = 1
) -> list[float]:
    """Advance streams over one connection; returns the seconds of each request.

    Uses plain sockets, because an HTTP client would use as much CPU as the server.

    Args:
        url: URL of the app.
        token: Ingest key.
        seconds: Duration.
        number: Number of the connection, part of its slugs.
        batch: Operations of each request; None for single requests.
        runs: Streams that the operations of a batch go to in turn.
    """
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    slug = f"bench-{number}-{uuid4().hex[:8]}"
    times = []
    deadline = time.perf_counter() + seconds
    while (began := time.perf_counter()) < deadline:
        if batch is None:
            method, path, body = "PUT", f"/streams/{slug}", b'{"advance":1}'
        else:
            method, path = "POST", "/batch"
            operations = [
                {
                    "method": "PUT",
                    "path": f"/streams/{slug}-{n % runs}",
                    "body": {"advance": 1},
                    "idempotency_key": uuid4().hex,
                }
                for n in range(batch)
            ]
            body = json.dumps({"operations": operations}).encode()
        head = (
            f"{method} /api/v1{path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
            raise RuntimeError(answer.decode())
        length = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.split(b":")[1]))
        times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()
    return times


async def outage(
    status: LocalSupabaseStatus, environment: Mapping[str, str], token: str, folder: Path, *, is_killed: bool
) -> None:
    """Measure the delivery of updates that a program queued while the app was down.

    The next process with the same queue delivers them; with `is_killed` it is killed halfway, and another continues.
    """
    port = free_port()
    signal_type = "killed" if is_killed else "outage"
    variables = {
        "LIVEWATCH_URL": f"http://127.0.0.1:{port}",
        "LIVEWATCH_KEY": token,
        "LIVEWATCH_SPOOL": str(folder / f"{signal_type}.sqlite"),
    }
    code = f'import livewatch\nfor n in range({UPDATES}): livewatch.alert(f"{{n}}", signal="{signal_type}")'
    await python(variables, "-c", code)
    async with (
        running({**environment, "LIVEWATCH_PORT": str(port)}),
        await psycopg.AsyncConnection.connect(status.database_url.get_secret_value(), autocommit=True) as connection,
    ):

        async def arrived() -> list[str]:
            cursor = await connection.execute(
                "select target_name from signal_alerts where org_id = %s and signal_type = %s order by version",
                (ORG, signal_type),
            )
            return [row[0] for row in await cursor.fetchall()]

        async def half_arrived() -> bool:
            return len(await arrived()) >= UPDATES // 2

        began = time.perf_counter()
        deliver = 'import livewatch, time\nlivewatch.notify("deliver")\nlivewatch.flush(120)'
        if is_killed:
            process = await start(variables, "-c", deliver)
            await until(half_arrived, within=120)
            os.kill(process.pid, signal.SIGKILL)
            await process.communicate()
        before = len(await arrived())
        await python(variables, "-c", deliver)
        taken = time.perf_counter() - began
        names = await arrived()
    result = "once and in order" if names == [f"{n}" for n in range(UPDATES)] else f"NOT AS SENT: {len(names)} rows"
    way = f"an outage and a kill -9 after {before:,}" if is_killed else "an outage"
    print(f"{UPDATES:,} updates after {way}: {result}, within {taken:.1f} s ({UPDATES / taken:,.0f}/s)")


async def start(variables: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={**inherited, "PYTHONPATH": str(ROOT / "sdk"), **variables},
        stdout=asyncio.subprocess.PIPE,
        # Discards the warnings about the app being down, which is intended.
        stderr=asyncio.subprocess.DEVNULL,
    )


async def python(variables: Mapping[str, str], *arguments: str) -> bytes:
    """Run a Python process with the SDK; returns its output."""
    process = await start(variables, *arguments)
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{arguments[:2]} exited with status {process.returncode}")
    return output
