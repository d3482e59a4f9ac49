"""Fixtures: two organisations with rows of every kind, and a program of each that reports and reads."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.entities import Topical
from services.infra.rate_limiter import Rate
from services.ingest import REPORTING, KeyScope
from tests.pages.program import Program, a_program, application, client
from tests.world import World

RESOURCES = ("streams", "scans", "agents", "alerts", "notifications", "activities")
RUNS = ("streams", "scans", "agents")


@dataclass(frozen=True, slots=True)
class Reader:
    """A program that reads, and how often it got what."""

    program: Program

    async def get(self, path: str, headers: dict[str, str] | None = None, /, **parameters: Any) -> httpx.Response:
        query = httpx.QueryParams({name: value for name, value in parameters.items() if value is not None})
        return await self.program.send("GET", f"{path}?{query}" if parameters else path, **(headers or {}))

    async def items(self, path: str, /, **parameters: Any) -> list[dict[str, Any]]:
        """Return the items of all pages."""
        items: list[dict[str, Any]] = []
        cursor = None
        while True:
            answer = await self.get(path, **parameters, cursor=cursor)
            assert answer.status_code == 200, answer.text
            items += answer.json()["items"]
            cursor = answer.json()["next"]
            if cursor is None:
                return items


async def fill(world: World, program: Program) -> None:
    """Report and send rows of every kind."""
    for n in range(3):
        answer = await program.put(f"/streams/import-{n}", name=f"Import {n}", total=10, completed=n + 1)
        assert answer.status_code == 201, answer.text
        await program.put(f"/streams/import-{n}", completed=n + 2)
        await program.put(f"/scans/scan-{n}", name=f"Scan {n}", stream="import-0", steps=["a", "b"], progress=10 * n)
        await program.put(f"/agents/agent-{n}", agent_name=f"Agent {n}", stream="import-0", input_summary="in")
        await program.post("/alerts", target_name=f"Target {n}", signal_type="price_drop", signal_strength=30 * n)
        await program.post("/notifications", title=f"Title {n}", message="Read this", type="warning")
    for run in ("streams/import-0", "scans/scan-0", "agents/agent-0"):
        lines = [{"message": f"line {n}", "level": "error" if n == 3 else "info"} for n in range(5)]
        answer = await program.post("/logs", run=run, lines=lines)
        assert answer.is_success, answer.text
    for table in ("streams", "acquisition_scans"):
        await world.sql(
            "insert into progress_points (subject_id, org_id, at, done, whole) "
            "select run.id, run.org_id, now() - n * interval '1 minute', 5 - n, 10 "
            f"from {table} as run, generate_series(1, 4) as n where org_id = %s and slug like '%%-0'",
            program.org,
        )
    tables = {Topical.STREAM: "slug = 'import-0'", Topical.SCAN: "slug = 'scan-0'", Topical.AGENT: "slug = 'agent-0'"}
    async with world.database.as_user(program.admin.identity) as session:
        connection = await session.connection()
        for table, where in tables.items():
            for body in ("Looks *slow*.", "Fixed."):
                await connection.exec_driver_sql(
                    f"select public.post_message(%s, %s, '{table}', "
                    f"(select id from {table} where {where} and org_id = %s), %s)",
                    (uuid4(), program.org, program.org, body),
                )


@pytest.fixture(scope="session")
async def served_api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with client(application(world, world.database, Rate(per_second=100_000, burst=100_000))) as each:
        yield each


@pytest.fixture(scope="session")
async def ours(world: World, served_api: httpx.AsyncClient) -> Reader:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    await fill(world, program)
    return Reader(program)


@pytest.fixture(scope="session")
async def theirs(world: World, served_api: httpx.AsyncClient) -> Reader:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    await fill(world, program)
    return Reader(program)
