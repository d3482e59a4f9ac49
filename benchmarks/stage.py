"""Environment of the benchmarks: an organisation with streams, sign-in, and the baselines' processes."""

import asyncio
import socket
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import psycopg
from playwright.async_api import Page

from local_supabase.process import LocalSupabase
from local_supabase.status import LocalSupabaseStatus
from services.auth.client import Auth
from services.infra.backend import APP_ROLE, DEMO_EMAIL, MIGRATIONS
from services.infra.database import Database
from tests.world import World

STREAMS = 100
EMAIL = "bench@livewatch.local"
ORG = UUID("00000000-0000-4000-8000-00000000bece")


@asynccontextmanager
async def own_world(folder: Path) -> AsyncIterator[World]:
    """Yield a world on a local Supabase of its own, with its data below a folder."""
    data = folder / "data"
    async with LocalSupabase.start(data=data, migrations=MIGRATIONS, user=DEMO_EMAIL, app_role=APP_ROLE) as local:
        assert local.status.app_database_url
        async with (
            Auth(url=local.status.api_url, key=local.status.anon_key) as auth,
            Database(local.status.app_database_url) as database,
            World(data, local, auth, database) as world,
        ):
            yield world


async def prepare(status: LocalSupabaseStatus) -> list[UUID]:
    """Create an organisation of the benchmark user with streams; returns the streams' ids."""
    async with await psycopg.AsyncConnection.connect(
        status.database_url.get_secret_value(), autocommit=True
    ) as connection:
        await connection.execute("insert into organizations (id, name) values (%s, 'Bench')", (ORG,))
        await connection.execute(
            "insert into org_members (org_id, user_id, role) select %s, id, 'admin' from auth.users where email = %s",
            (ORG, EMAIL),
        )
        cursor = await connection.execute(
            "insert into streams (org_id, name, total, goal_status) "
            "select %s, 'Stream ' || n, 1000000, 'on_track' from generate_series(1, %s) as n returning id",
            (ORG, STREAMS),
        )
        return [row[0] for row in await cursor.fetchall()]


async def sign_in(page: Page, status: LocalSupabaseStatus) -> None:
    """Sign in through the form in a browser."""
    assert status.demo_email
    assert status.demo_password
    await page.get_by_label("E-mail").fill(status.demo_email)
    await page.get_by_label("Password").fill(status.demo_password.get_secret_value())
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_selector('body[data-live="connected"]')


async def enter(http: httpx.AsyncClient, status: LocalSupabaseStatus) -> None:
    """Sign in without a browser; the client stores the cookie."""
    assert status.demo_email
    assert status.demo_password
    form = {"email": status.demo_email, "password": status.demo_password.get_secret_value()}
    await http.post("/session", data=form)


@asynccontextmanager
async def baseline(
    name: str, status: LocalSupabaseStatus, command: Sequence[str] = ()
) -> AsyncIterator[tuple[str, int]]:
    """Run `benchmarks.baselines.<name>`, or `command`, on a free port; yields its URL and process id."""
    port = free_port()
    url = status.database_url.get_secret_value()
    arguments = command or ("-m", f"benchmarks.baselines.{name}", "--org", str(ORG), "--database-url", url, "--port")
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, str(port))
    try:
        await asyncio.to_thread(first_byte, f"http://127.0.0.1:{port}")
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        await process.wait()


def memory(process: psutil.Process) -> float:
    """Return the unique memory (USS) of a process in MiB."""
    return float(process.memory_full_info().uss) / 2**20


def first_byte(url: str) -> None:
    """Wait until a server responds; raises OSError after 30 s."""
    deadline = time.perf_counter() + 30
    host, port = url.removeprefix("http://").split(":")
    while True:
        try:
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(f"GET /sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
                if connection.recv(1):
                    return
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.02)


def free_port() -> int:
    """Return an unused port of the loopback address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
