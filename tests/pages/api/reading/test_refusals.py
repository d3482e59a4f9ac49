"""Invalid requests to the endpoints that read: each is refused with its value and the valid ones."""

import base64
import random

import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from starlette.routing import Mount

from pages.api.errors import PREFIX
from services.infra.database import Database
from services.infra.rate_limiter import Rate
from services.ingest import KeyScope
from tests.clock import Clock
from tests.pages.api.reading.conftest import RESOURCES, RUNS, Reader
from tests.pages.program import a_program, application, client, refused
from tests.world import World

pytestmark = pytest.mark.integration
PATHS = [f"/{name}" for name in RESOURCES] + [
    "/streams/import-0/logs",
    "/scans/scan-0/history",
    "/agents/agent-0/comments",
]


@pytest.mark.parametrize("path", PATHS)
async def test_a_limit_is_a_number_of_rows_that_a_page_can_have(ours: Reader, path: str) -> None:
    maximum = "1,000" if "-0/" in path else "500"
    for limit in (
        "0",
        "-1",
        "1000000000",
        "1e9",
        "501" if maximum == "500" else "1001",
        "ten",
        "1.5",
        "٣",
        " 5",
        "0x10",
    ):
        message = refused(await ours.get(path, limit=limit), 422, "invalid", "limit")
        assert f'"{limit}"' in message
        assert f"from 1 to {maximum}" in message


@pytest.mark.parametrize("path", PATHS)
async def test_an_unknown_parameter_is_named_with_the_known_ones(ours: Reader, path: str) -> None:
    message = refused(await ours.get(path, staus="failed"), 422, "invalid", "staus")
    assert '"staus"' in message
    assert "cursor, " in message
    refused(await ours.get(path, **{"x" * 9000: "1"}), 422, "invalid", "x" * 80)


@pytest.mark.parametrize(
    ("path", "name", "value", "valid"),
    [
        ("/streams", "status", "faild", "not_started, in_progress, on_track"),
        ("/scans", "status", "scanning,Scanning", "scanning, analyzing"),
        ("/agents", "status", "stalled", "cancelled, unreachable"),
        ("/streams", "show", "all", "archived, current"),
        ("/streams", "finished", "yes", "true, false"),
        ("/streams", "sort", "name", "newest, updated"),
        ("/alerts", "sort", "updated", "newest"),
        ("/alerts", "priority", "severe", "urgent, high, medium, low"),
        ("/notifications", "type", "fatal", "info, success, warning, error"),
        ("/activities", "kind", "streams", "stream, scan, agent"),
        ("/streams/import-0/logs", "level", "warn", "debug, info, warning, error, critical"),
        ("/streams/import-0/logs", "order", "desc", "oldest, newest"),
    ],
)
async def test_an_unknown_value_is_named_with_the_valid_ones(
    ours: Reader, path: str, name: str, value: str, valid: str
) -> None:
    message = refused(await ours.get(path, **{name: value}), 422, "invalid", name)
    assert f'{name} is "{value.rpartition(",")[2]}"' in message
    assert valid in message


@pytest.mark.parametrize("path", PATHS)
async def test_times_and_zones_must_exist(ours: Reader, path: str) -> None:
    for value in ("yesterday", "2026-02-30", "2026-01-01T25:00", "0", "1764180000", "infinity", "9" * 150):
        assert "ISO 8601" in refused(await ours.get(path, since=value), 422, "invalid", "since")
    message = refused(await ours.get(f"{path}?until=2026-01-01T00:00:00+01:00"), 422, "invalid", "until")
    assert "write + as %2B" in message
    refused(await ours.get(path, since="2026-01-02", until="2026-01-01"), 422, "invalid", "until")
    for zone in ("Europe/Atlantis", "../../etc/passwd", "/etc/passwd", "Europe", "UTC\u0001", "🕰"):
        message = refused(await ours.get(path, since="2026-01-01", zone=zone), 422, "invalid", "zone")
        assert "IANA" in message


@pytest.mark.parametrize("path", PATHS)
async def test_queries_of_ten_kilobytes_are_refused_or_answered(ours: Reader, path: str) -> None:
    for name in ("cursor", "since", "zone", "limit", *(["q", "type"] if path.count("/") == 1 else ["order"])):
        answer = await ours.get(path, **{name: "ä" * 10_000})
        assert answer.status_code == 422
        assert len(answer.text) < 1000, "the value is cut"
    refused(await ours.get(f"{path}?cursor=%00"), 422, "invalid", "cursor")
    refused(await ours.get(f"{path}?limit=1&limit=2"), 422, "invalid", "limit")


async def test_values_are_only_values(ours: Reader) -> None:
    for value in ("'; drop table streams; --", "%(org)s", "%s", "{}", "\\", "a%", "\u202e", "\ud7ff", "%"):
        for name in ("tag", "type", *(["q"] if value != "\u202e" else [])):
            assert (await ours.get("/streams", **{name: value})).json()["items"] == []
        assert (await ours.get("/agents", agent=value)).status_code == 200
    many = await ours.get("/streams", tag=",".join(f"t{n}" for n in range(101)))
    assert "101 values" in refused(many, 422, "invalid", "tag")
    assert (await ours.get("/streams?q=%ff%fe&status=&type=,,&cursor=&sort=")).status_code == 200


@pytest.mark.parametrize("path", PATHS)
async def test_a_cursor_of_another_list_or_a_damaged_one_is_refused(ours: Reader, theirs: Reader, path: str) -> None:
    cursor = (await ours.get(path, limit=1)).json()["next"]
    assert (await ours.get(path, limit=1, cursor=cursor)).status_code == 200
    raw = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    randomness = random.Random(7)
    wrong = [
        "x",
        "é",
        "!" * 43,
        cursor[:-1],
        cursor[:10],
        cursor * 2,
        cursor + "A",
        base64.urlsafe_b64encode(b"\xff" * 32).decode(),
    ]
    for position in range(len(raw)):
        changed = raw.copy()
        changed[position] ^= 1 << randomness.randrange(8)
        wrong.append(base64.urlsafe_b64encode(changed).decode().rstrip("="))
    for each in wrong:
        message = refused(await ours.get(path, cursor=each), 422, "invalid", "cursor")
        assert "same parameters" in message
    refused(await theirs.get(path, limit=1, cursor=cursor), 422, "invalid", "cursor")
    refused(await ours.get(path, cursor=cursor, since="2020-01-01"), 422, "invalid", "cursor")
    for other in PATHS:
        if other != path:
            refused(await ours.get(other, cursor=cursor), 422, "invalid", "cursor")


@pytest.mark.parametrize("name", RESOURCES)
async def test_names_that_no_row_can_have_are_refused(ours: Reader, name: str) -> None:
    field = "slug" if name in RUNS else "id"
    for value in ("%20", "a%20b", "%C3%A4", "a%00b", "%E2%80%AE", "a%3Fb", "'", "%25", "x" * 10_000, "%2525"):
        refused(await ours.get(f"/{name}/{value}"), 422, "invalid", field)
    if name not in RUNS:
        assert "is a UUID" in refused(await ours.get(f"/{name}/12"), 422, "invalid", "id")
    else:
        refused(await ours.get(f"/{name}/a%20b/logs"), 422, "invalid", "slug")
        refused(await ours.get(f"/{name}/nothing/logs"), 404, "not_found")
    refused(await ours.get(f"/{name}/a/b/c"), 404, "not_found")


async def test_reading_counts_against_the_rate_of_the_key(world: World) -> None:
    clock = Clock()
    async with client(application(world, world.database, Rate(per_second=1, burst=2), clock)) as api:
        program = await a_program(world, api, scopes=(KeyScope.READ,))
        for method in ("GET", "HEAD"):
            assert (await program.send(method, "/streams")).status_code == 200
        answer = await program.send("GET", "/streams")
        refused(answer, 429, "rate")
        assert answer.headers["retry-after"] == "1"


async def test_a_database_that_is_away_is_said_so(world: World, ours: Reader) -> None:
    async with Database(SecretStr("postgresql://livewatch_app:x@127.0.0.1:9/postgres")) as away:
        app = application(world, world.database, Rate(per_second=100, burst=100))
        (api_app,) = (route.app for route in app.routes if isinstance(route, Mount) and route.path == PREFIX)
        assert isinstance(api_app, FastAPI)
        api_app.state.database = away
        async with client(app) as api:
            answer = await api.get(f"{PREFIX}/streams", headers={"Authorization": f"Bearer {ours.program.token}"})
    message = refused(answer, 503, "unavailable")
    assert message.startswith("Nothing was read; try again.")
    assert answer.headers["retry-after"] == "2"


async def test_agents_have_no_history(ours: Reader) -> None:
    refused(await ours.get("/agents/agent-0/history"), 404, "not_found")
