"""Runs of jobs: which one an address means, and pages that stay with their run."""

import httpx
import pytest

from services.ingest import REPORTING, KeyScope
from tests.pages.api.reading.conftest import RUNS, Reader
from tests.pages.program import a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", RUNS)
async def test_an_address_means_the_run_that_reports_mean(
    world: World, served_api: httpx.AsyncClient, ours: Reader, name: str
) -> None:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    reader = Reader(program)

    async def slug_of(address: str) -> str:
        answer = await reader.get(f"/{name}/{address}")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["slug"])

    for key in ("a", "7", "b"):
        assert (await program.put(f"/{name}/nightly@{key}")).status_code == 201
    assert await slug_of("nightly") == "nightly@b", "the newest, where none has the address itself"
    assert [await slug_of(f"nightly@{key}") for key in ("1", "2", "3", "7", "a")] == [
        *("nightly@a", "nightly@7", "nightly@b", "nightly@7", "nightly@a")
    ]
    id = (await reader.get(f"/{name}/nightly@a")).json()["id"]
    assert await slug_of(f"nightly@{id}") == await slug_of(id) == "nightly@a"
    for address in ("nightly@4", "nightly@999999999", "nightly@c", "another", "another@1"):
        refused(await reader.get(f"/{name}/{address}"), 404, "not_found")
    for address in (f"nightly@{id}", "nightly@1", "nightly"):
        refused(await ours.get(f"/{name}/{address}"), 404, "not_found")
    await program.put(f"/{name}/nightly")
    assert await slug_of("nightly") == "nightly", "its own address"
    await program.post(f"/{name}/nightly/finish", status="completed")
    await program.put(f"/{name}/nightly")
    assert await slug_of("nightly@4") == "nightly@4"
    assert [row["number"] for row in await reader.items(f"/{name}", job="nightly")] == [5, 4, 3, 2, 1]
    assert await reader.items(f"/{name}", job="nightly@a") == await ours.items(f"/{name}", job="nightly") == []


async def test_pages_stay_with_the_run_that_they_began_with(world: World, served_api: httpx.AsyncClient) -> None:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    reader = Reader(program)
    await program.put("/streams/nightly", completed=1)
    await program.post("/logs", run="streams/nightly", lines=[{"message": f"first {n}"} for n in range(4)])
    page = (await reader.get("/streams/nightly/logs", limit=2)).json()
    await program.post("/streams/nightly/finish", status="completed")
    await program.put("/streams/nightly", completed=1)
    await program.post("/logs", run="streams/nightly", lines=[{"message": f"second {n}"} for n in range(4)])
    rest = (await reader.get("/streams/nightly/logs", limit=200, cursor=page["next"])).json()
    assert [line["message"] for line in rest["items"]] == ["first 2", "first 3"]
    assert rest["next"] is None
    assert (await reader.items("/streams/nightly/logs", limit=3))[0]["message"] == "second 0"
    await program.send("DELETE", "/streams/nightly@1")
    refused(await reader.get("/streams/nightly/logs", limit=200, cursor=page["next"]), 404, "not_found")


async def test_runs_below_any_run_of_a_job_are_found_by_its_slug(world: World, served_api: httpx.AsyncClient) -> None:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    for key in ("a", "b"):
        await program.put(f"/streams/nightly@{key}")
        await program.put(f"/agents/writer@{key}", stream=f"nightly@{key}")
    reader = Reader(program)
    assert len(await reader.items("/agents", stream="nightly")) == 2
    assert [row["slug"] for row in await reader.items("/agents", stream="nightly@a")] == ["writer@a"]


async def test_earlier_attempts_are_read_with_their_run(world: World, served_api: httpx.AsyncClient) -> None:
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    await program.put("/streams/nightly", completed=1)
    await program.post("/streams/nightly/finish", status="blocked", error="no space")
    await program.put("/streams/nightly", attempt=2, completed=0)
    run = (await Reader(program).get("/streams/nightly")).json()
    assert (run["attempt"], run["number"]) == (2, 1)
    assert [(each["status"], each["error"]) for each in run["attempts"]] == [("blocked", "no space")]
