"""Metrics and artefacts of runs, as programs read them."""

from typing import Any

import httpx
import pytest

from services.ingest import REPORTING, KeyScope
from tests.pages.program import Program, a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.fixture
async def reader(world: World, api: httpx.AsyncClient) -> Program:
    program = await a_program(world, api, scopes=(*REPORTING, KeyScope.READ))
    await program.put("/streams/x")
    points: list[dict[str, Any]] = [{"step": n, "values": {"loss": n / 10, "odd": "NaN"}} for n in range(5)]
    answer = await program.post("/metrics", run="streams/x", points=points)
    assert answer.status_code == 201, answer.text
    return program


async def read(program: Program, path: str) -> Any:
    answer = await program.send("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_metrics_and_their_points_are_read_by_pages(reader: Program) -> None:
    metrics = (await read(reader, "/streams/x/metrics"))["items"]
    assert [(each["name"], each["points"], each["last_value"]) for each in metrics] == [
        ("loss", 5, 0.4),
        ("odd", 5, "NaN"),
    ]
    first = await read(reader, "/streams/x/points?metric=loss&limit=3")
    second = await read(reader, f"/streams/x/points?metric=loss&limit=3&cursor={first['next']}")
    assert [each["step"] for page in (first, second) for each in page["items"]] == [0, 1, 2, 3, 4]
    assert [each["value"] for each in first["items"]] == [0.0, 0.1, 0.2]
    assert second["next"] is None
    assert (await read(reader, "/streams/x/points?metric=none"))["items"] == []


async def test_points_without_a_metric_and_of_another_organisation_are_refused(
    reader: Program, world: World, api: httpx.AsyncClient
) -> None:
    assert "/streams/x/metrics lists" in refused(
        await reader.send("GET", "/streams/x/points"), 422, "invalid", "metric"
    )
    other = await a_program(world, api, scopes=(*REPORTING, KeyScope.READ))
    for path in ("metrics", "points?metric=loss", "artefacts"):
        refused(await other.send("GET", f"/streams/x/{path}"), 404, "not_found")
    await other.put("/streams/x")
    for path in ("metrics", "points?metric=loss", "artefacts"):
        assert (await read(other, f"/streams/x/{path}"))["items"] == []
