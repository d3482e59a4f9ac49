"""Schedules over the API: by reports and by endpoints of their own."""

import pytest

from services.people.models import Role
from services.schedules.plan import Plan
from services.schedules.schedules import put_schedule
from tests.pages.program import Program
from tests.world import World

pytestmark = pytest.mark.integration
PATH = "/jobs/streams/nightly/schedule"
READ = "select cron, every_seconds, zone, grace_seconds, max_seconds from schedules where org_id = %s"


async def test_the_first_report_creates_the_schedule_of_its_job(program: Program, world: World) -> None:
    given = {"expect": "0 2 * * *", "zone": "Europe/Berlin", "grace": "30m", "max": "2h"}
    assert (await program.put("/streams/nightly@today", schedule=given)).status_code == 201
    assert await world.sql(READ, program.org) == [("0 2 * * *", None, "Europe/Berlin", 1800, 7200)]
    await program.put("/streams/nightly@today", schedule={"expect": "15m"})
    assert await world.sql(READ, program.org) == [(None, 900, "UTC", 600, None)]


async def test_a_wrong_schedule_is_left_out_of_a_report_and_named(program: Program, world: World) -> None:
    for given, part in (
        ({"expect": "0 2 * *"}, "4 fields"),
        ({"expect": "0 0 30 2 *"}, "day-of-month"),
        ({"expect": "0 2 * * *", "zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"expect": "1h", "grace": "2h"}, "longer than"),
        ({"expect": "0 25 * * *"}, "0 25 * * *"),
    ):
        answer = await program.put("/streams/nightly", name="Nightly", schedule=given)
        [ignored] = answer.json()["ignored"]
        assert part in ignored["message"], ignored
        refused = await program.send("PUT", PATH, given)
        assert refused.status_code == 422
        assert part in refused.json()["error"]["message"]
    assert await world.sql(READ, program.org) == []


async def test_a_schedule_is_created_read_paused_resumed_and_removed(program: Program, world: World) -> None:
    created = await program.send("PUT", PATH, {"expect": "1h"})
    assert created.status_code == 200, created.text
    assert (created.json()["every_seconds"], created.json()["url"]) == (3600, "/jobs/streams/nightly")
    assert (await program.send("GET", PATH)).json()["is_paused"] is False
    assert (await program.send("POST", f"{PATH}/pause")).json()["is_paused"] is True
    assert (await program.send("POST", f"{PATH}/resume")).json()["is_paused"] is False
    assert (await program.send("DELETE", PATH)).status_code == 200
    for method in ("GET", "DELETE"):
        assert (await program.send(method, PATH)).status_code == 404
    assert (await program.send("POST", f"{PATH}/pause")).status_code == 404


async def test_a_report_leaves_what_a_person_wrote(program: Program, world: World) -> None:
    ada = await world.person(program.org, role=Role.OPERATOR)
    plan = Plan.parse({"expect": "30m"})
    await put_schedule(world.database, ada.identity, program.org, "streams", "nightly", plan=plan)
    await program.put("/streams/nightly", schedule={"expect": "15m"})
    assert await world.sql(READ, program.org) == [(None, 1800, "UTC", 600, None)]
