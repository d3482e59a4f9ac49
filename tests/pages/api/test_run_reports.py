"""Reports of runs: amounts and units, bars, good fields beside bad ones, the time of a report, and shared runs."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from services.ingest import reports
from tests.pages.program import Program, refused
from tests.world import World

pytestmark = pytest.mark.integration


async def stream(world: World, program: Program, columns: str, slug: str = "x") -> tuple[Any, ...]:
    (row,) = await world.sql(f"select {columns} from streams where org_id = %s and slug = %s", program.org, slug)
    return tuple(row)


async def batch(program: Program, *operations: tuple[str, str, dict[str, Any], float]) -> list[dict[str, Any]]:
    """Send operations of method, path, body and age in one request."""
    answer = await program.post(
        "/batch",
        operations=[
            {"method": method, "path": path, "body": body, "age": age} for method, path, body, age in operations
        ],
    )
    results: list[dict[str, Any]] = answer.json()["results"]
    assert all(each["status"] < 300 for each in results), results
    return results


async def test_amounts_may_be_fractions_and_integers_stay_exact(program: Program, world: World) -> None:
    await program.put("/streams/x", total=1.0, unit="s")
    for _ in range(10):
        await program.put("/streams/x", advance=0.1)
    assert await stream(world, program, "completed, total, percentage, unit") == (1.0, 1.0, 100.0, "s")
    await program.put("/streams/x", unit="")
    assert await stream(world, program, "unit") == (None,)
    await program.put("/streams/big", total=10.0, completed=2**53 - 1)
    await program.put("/streams/big", advance=1)
    assert await stream(world, program, "completed::bigint, total", "big") == (2**53, 10.0)
    assert "too large" in refused(await program.put("/streams/big", advance=1), 422, "invalid", "advance")
    await program.put("/streams/almost", total=2**53, completed=2**53 - 1)
    assert await stream(world, program, "percentage", "almost") == (99.9,)


async def test_a_percentage_is_of_the_total_that_is_known(program: Program, world: World) -> None:
    await program.put("/streams/x", completed=5, total=10)
    await program.put("/streams/x", completed=6, default_total=100)
    assert await stream(world, program, "completed, total") == (6, 10)
    await program.put("/streams/x", percent=80)
    assert await stream(world, program, "completed, total") == (8, 10)
    await program.put("/streams/new", percent=30)
    assert await stream(world, program, "completed, total", "new") == (30, 100)
    await program.put("/streams/plain", completed=5, default_total=100)
    assert await stream(world, program, "completed, total", "plain") == (5, 100)


async def test_bars_are_merged_by_their_id_in_the_order_of_their_start(program: Program, world: World) -> None:
    first = {"id": "a1", "name": "Epoch", "completed": 1, "total": 10}
    await program.put("/streams/x", bars=[first])
    second = {"id": "b1", "parent": "a1", "name": "Batch", "unit": "B", "completed": 0.5}
    await program.put("/streams/x", bars=[second, {**first, "completed": 10, "status": "completed"}])
    bars, count = await stream(world, program, "bars, bar_count")
    assert [(each["id"], each["completed"], each["status"]) for each in bars] == [
        ("a1", 10, "completed"),
        ("b1", 0.5, "in_progress"),
    ]
    assert (count, bars[1]["parent"], bars[1]["unit"]) == (2, "a1", "B")
    assert bars[0]["started_at"] < bars[0]["finished_at"]
    assert "finished_at" not in bars[1]


async def test_of_many_bars_the_open_and_the_newest_are_kept(program: Program, world: World) -> None:
    def bar(n: int, status: str) -> dict[str, Any]:
        return {"id": f"{n}", "name": f"bar {n}", "status": status}

    await program.put("/streams/x", bars=[bar(n, "in_progress" if n == 3 else "completed") for n in range(50)])
    await program.put("/streams/x", bars=[bar(n, "completed") for n in range(50, 80)], bar_count=80)
    bars, count = await stream(world, program, "bars, bar_count")
    assert [each["id"] for each in bars] == ["3", *(f"{n}" for n in range(31, 80))]
    assert count == 80


async def test_the_good_fields_of_a_report_are_applied_and_the_bad_ones_named(program: Program, world: World) -> None:
    answer = await program.put("/streams/x", name="Import", total=-1, status="running", totl=3)
    assert answer.status_code == 201
    ignored = answer.json()["ignored"]
    assert sorted(each["field"] for each in ignored) == ["status", "total", "totl"]
    assert all(each["message"].endswith(".") for each in ignored)
    assert await stream(world, program, "name, total, goal_status") == ("Import", 0, "in_progress")
    assert "ignored" not in (await program.put("/streams/x", total=3)).json()
    answer = await program.put("/scans/x", step="read", steps=["read", ""])
    assert [each["field"] for each in answer.json()["ignored"]] == ["steps.1"]
    assert await world.sql("select current_step from acquisition_scans where org_id = %s", program.org) == [("read",)]
    (result,) = await batch(program, ("PUT", "/agents/x", {"agent_name": "A", "status": "asleep"}, 0))
    assert [each["field"] for each in result["body"]["ignored"]] == ["status"]
    answer = await program.post("/streams/x/finish", status="stopped", error="e" * 9_000)
    assert (answer.status_code, answer.json()["ignored"][0]["field"]) == (200, "error")
    assert await stream(world, program, "goal_status, is_finished") == ("stopped", True)


@pytest.mark.parametrize("status", ["stopped", "cancelled"])
async def test_a_run_may_end_early_without_having_failed(program: Program, world: World, status: str) -> None:
    for kind in ("streams", "scans"):
        assert (await program.put(f"/{kind}/x", name="n")).status_code == 201
        assert (await program.post(f"/{kind}/x/finish", status=status)).status_code == 200
        refused(await program.put(f"/{kind}/x", name="late", begins=False), 409, "finished")
    assert await stream(world, program, "goal_status, is_finished, error") == (status, True, None)
    await program.put("/streams/put", status=status)
    assert await stream(world, program, "is_finished", "put") == (True,)


async def test_a_report_that_waited_is_dated_to_when_it_was_made(program: Program, world: World) -> None:
    await batch(
        program,
        ("PUT", "/streams/x", {"total": 10, "completed": 1}, 40.0),
        ("PUT", "/scans/x", {"progress": 10}, 40.0),
        ("PUT", "/agents/x", {}, 40.0),
        ("PUT", "/streams/x", {"completed": 9}, 38.0),
        ("PUT", "/scans/x", {"progress": 50}, 38.0),
        *(("POST", f"/{kind}/x/finish", {}, 37.0) for kind in ("streams", "scans", "agents")),
    )
    now, began, ended = await stream(world, program, "clock_timestamp(), created_at, finished_at")
    assert now - began == pytest.approx(timedelta(seconds=40), abs=timedelta(seconds=5))
    assert ended - began == pytest.approx(timedelta(seconds=3), abs=timedelta(seconds=0.5))
    for table in ("acquisition_scans", "agent_executions"):
        ((seconds,),) = await world.sql(
            f"select extract(epoch from completed_at - started_at) from {table} where org_id = %s", program.org
        )
        assert float(seconds) == pytest.approx(3, abs=0.5)
    ((seconds,),) = await world.sql(
        "select extract(epoch from max(at) - min(at)) from progress_points as point join streams as stream "
        "on stream.id = subject_id where stream.org_id = %s and slug = 'x'",
        program.org,
    )
    assert float(seconds) == pytest.approx(2, abs=0.5)
    ((first, last),) = await world.sql(
        "select min(created_at), max(created_at) from activities where org_id = %s", program.org
    )
    assert last - first == pytest.approx(timedelta(seconds=3), abs=timedelta(seconds=0.5))


async def test_a_message_that_waited_is_dated_to_when_it_was_sent(program: Program, world: World) -> None:
    alert = {"target_name": "t", "signal_type": "x", "signal_strength": 1}
    await batch(
        program,
        ("POST", "/alerts", alert, 40.0),
        ("POST", "/notifications", {"title": "t"}, 40.0),
    )
    for table, column in (("signal_alerts", "detected_at"), ("notifications", "created_at")):
        ((seconds,),) = await world.sql(
            f"select extract(epoch from clock_timestamp() - {column}) from {table} where org_id = %s", program.org
        )
        assert float(seconds) == pytest.approx(40, abs=5)


async def test_no_report_is_of_the_future_or_older_than_a_week_or_ends_before_its_start(
    program: Program, world: World
) -> None:
    await batch(program, ("PUT", "/streams/x", {}, 1e15), ("PUT", "/streams/y", {}, 5.0))
    now, began = await stream(world, program, "clock_timestamp(), created_at")
    assert now - began == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))
    await batch(program, ("POST", "/streams/y/finish", {}, 600.0))
    assert await stream(world, program, "finished_at = created_at", "y") == (True,)
    answer = await program.post("/batch", operations=[{"method": "PUT", "path": "/streams/z", "age": -5}])
    assert answer.json()["results"][0]["status"] == 422
    await program.put("/streams/fresh")
    now, began = await stream(world, program, "clock_timestamp(), created_at", "fresh")
    assert now - began < timedelta(seconds=5), "the age of another report does not linger"


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("streams", "finished_at - coalesce(attempt_started_at, created_at)) from streams"),
        ("scans", "completed_at - started_at) from acquisition_scans"),
        ("agents", "completed_at - started_at) from agent_executions"),
    ],
)
async def test_a_run_is_as_long_as_its_program_measured(program: Program, world: World, kind: str, rows: str) -> None:
    """Also if its beginning was longer on its way than its end; never by more than a minute."""
    for slug, age, elapsed in (("late", 10.0, 4.0), ("right", 0.0, 2.0), ("liar", 0.0, 1e300)):
        await batch(program, ("PUT", f"/{kind}/{slug}", {}, 5.0))
        await batch(program, ("POST", f"/{kind}/{slug}/finish", {"elapsed": elapsed}, age))
    seconds = await world.sql(
        f"select extract(epoch from {rows} where org_id = %s and slug <> 'default' order by created_at", program.org
    )
    assert [float(each) for (each,) in seconds] == [
        pytest.approx(4, abs=0.1),
        pytest.approx(5, abs=3),
        pytest.approx(5, abs=3),
    ]


@pytest.mark.parametrize("who", [{}, {"reporter": "b"}])
async def test_what_one_of_several_processes_measured_is_not_the_time_of_their_run(
    program: Program, world: World, who: dict[str, str]
) -> None:
    for name in ("a", "b"):
        await batch(program, ("PUT", "/streams/x", {"reporter": name}, 5.0))
    await batch(program, ("POST", "/streams/x/finish", {"reporter": "a", "elapsed": 40}, 0.0))
    await batch(program, ("POST", "/streams/x/finish", {"elapsed": 40, **who}, 0.0))
    assert await stream(world, program, "is_finished, attempt_started_at") == (True, None)


async def test_an_operation_that_was_applied_is_not_applied_again_when_it_is_older(
    program: Program, world: World
) -> None:
    operation = {"method": "PUT", "path": "/streams/x", "body": {"advance": 1}, "idempotency_key": "k"}
    for age in (1.0, 30.0):
        answer = await program.post("/batch", operations=[{**operation, "age": age}])
        assert answer.json()["results"][0]["status"] == 201
    assert await stream(world, program, "completed") == (1,)


@pytest.mark.parametrize(
    "clock", ["1970-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00", "2199-01-01T00:00:00+00:00"]
)
async def test_a_wrong_clock_does_not_date_log_lines(program: Program, world: World, clock: str) -> None:
    await program.put("/streams/x")
    wrong = datetime.fromisoformat(clock)
    lines = [{"message": f"{n}", "at": (wrong + timedelta(seconds=n)).isoformat()} for n in range(2)]
    operation = {"method": "POST", "path": "/logs", "body": {"run": "streams/x", "lines": lines}}
    made_at = (wrong + timedelta(seconds=2)).isoformat()
    await program.post("/batch", operations=[{**operation, "age": 10.0, "made_at": made_at}])
    rows = await world.sql(
        "select extract(epoch from clock_timestamp() - at) from log_lines where org_id = %s order by id", program.org
    )
    assert [float(seconds) for (seconds,) in rows] == [pytest.approx(12, abs=5), pytest.approx(11, abs=5)]


async def test_a_shared_run_ends_with_its_last_process_as_the_worst_of_them(program: Program, world: World) -> None:
    for name in ("a", "b", "c"):
        await program.put("/streams/x", total=30, advance=5, reporter=name)
        await program.put("/scans/x", reporter=name, advance=5, targets_identified=30)
    for name, status, error in (("a", "completed", None), ("b", "blocked", "disk full")):
        answer = await program.post(
            "/streams/x/finish", status=status, reporter=name, **({"error": error} if error else {})
        )
        assert answer.status_code == 200
        await program.post("/scans/x/finish", reporter=name)
        assert await stream(world, program, "is_finished, goal_status") == (False, "in_progress")
    await program.put("/streams/x", advance=5, reporter="c")
    await program.post("/streams/x/finish", reporter="c")
    await program.post("/scans/x/finish", reporter="c")
    assert await stream(world, program, "completed, goal_status, is_finished, error") == (
        20,
        "blocked",
        True,
        "disk full",
    )
    assert await world.sql("select status, targets_analyzed from acquisition_scans where org_id = %s", program.org) == [
        ("completed", 15)
    ]
    refused(await program.post("/streams/x/finish", reporter="c", status="stopped"), 409, "finished")


async def test_a_shared_run_ends_at_once_when_somebody_says_so(program: Program, world: World) -> None:
    for name in ("a", "b"):
        await program.put("/streams/x", reporter=name)
    await program.post("/streams/x/finish", status="completed")
    assert await stream(world, program, "is_finished") == (True,)


async def test_a_process_that_was_killed_holds_up_no_end(
    program: Program, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither when another leaves later, nor when the others had left before it fell silent."""
    silence = "update private.run_reporters set seen_at = seen_at - interval '1 minute' where reporter = 'killed'"
    for name in ("killed", "b"):
        await program.put("/streams/later", reporter=name)
        await program.put("/streams/before", reporter=name)
    await program.post("/streams/before/finish", reporter="b")
    assert await stream(world, program, "is_finished", "before") == (False,)
    beat = await program.post("/heartbeats", runs=["streams/later"], reporter="b")
    assert beat.json()["alive"] == ["streams/later"]
    await world.sql(silence)
    await program.post("/streams/later/finish", reporter="b")
    assert await stream(world, program, "is_finished", "later") == (True,)
    monkeypatch.setattr(reports, "LAST_USED_INTERVAL_SECONDS", 0.0)
    await program.send("GET", "/me")
    assert await stream(world, program, "goal_status, is_finished", "before") == ("completed", True)
    assert await world.sql("select 1 from private.run_reporters where org_id = %s", program.org) == []


@pytest.mark.parametrize("blank", ["\u200b\u200d", "\u2800", "\u202e\u2066\u2069", "\u3164", "\u00a0\t"])
async def test_a_name_without_a_visible_character_is_left_out(program: Program, world: World, blank: str) -> None:
    answer = await program.put("/streams/x", name=blank, total=3)
    assert (answer.status_code, [each["field"] for each in answer.json()["ignored"]]) == (201, ["name"])
    assert await stream(world, program, "name, total") == ("x", 3)
    await program.put("/streams/x", name="\u200f\u0645\u0631\u062d\u0628\u0627")
    assert await stream(world, program, "name") == ("\u200f\u0645\u0631\u062d\u0628\u0627",)
