"""Runs, steps, agents, watched functions, messages and logs as the server receives them."""

import asyncio
import contextvars
import logging
import re
import threading

import livewatch
import pytest
from livewatch.runs.activities import current_activity

from tests.sdk.api_server import ApiServer


def test_a_run_is_a_stream_that_ends_as_its_block_ends(reporting: ApiServer) -> None:
    with livewatch.run("Import", total=900, description="rows", metadata={"table": "users"}) as run:
        run.advance(5)
        run.advance()
    assert livewatch.flush()
    stream = reporting.only("streams")
    assert re.fullmatch("import@[0-9a-f]{12}", stream["slug"])
    assert {name: stream[name] for name in ("name", "total", "completed", "description", "metadata", "end")} == {
        "name": "Import",
        "total": 900,
        "completed": 6,
        "description": "rows",
        "metadata": {"table": "users"},
        "end": {"status": "completed"},
    }


def test_steps_add_a_scan_to_the_run_which_tells_how_far_it_is(reporting: ApiServer) -> None:
    with livewatch.run("Scan", total=900, slug="scan-1") as run:
        run.step("find")
        livewatch.flush()
        run.step("enrich")
        run.advance(90)
        livewatch.flush()
    livewatch.flush()
    scan = reporting.state("/scans/scan-1")
    assert (scan["stream"], scan["steps"], scan["step"]) == ("scan-1", ["find", "enrich"], "enrich")
    assert (scan["targets_identified"], scan["targets_analyzed"]) == (900, 90)
    assert scan["end"] == {"status": "completed", "keep_progress": True}
    assert reporting.state("/streams/scan-1")["end"] == {"status": "completed"}


def test_declared_steps_tell_how_far_a_run_is_that_counts_nothing(reporting: ApiServer) -> None:
    with livewatch.run("Nightly", steps=["load", "clean", "save", "tell"], slug="n") as run:
        run.step("save")
        livewatch.flush()
        assert reporting.state("/scans/n")["progress"] == 50.0


def test_a_crash_marks_the_run_and_its_scan_failed_with_type_and_message_only(reporting: ApiServer) -> None:
    def work(password: str) -> None:
        with livewatch.run("Import", slug="i") as run:
            run.step("load")
            raise ValueError(f"row 7 {'is bad ' * 100}")

    with pytest.raises(ValueError, match="row 7"):
        work("hunter2")
    livewatch.flush()
    end = reporting.state("/streams/i")["end"]
    assert end["status"] == "blocked"
    assert end["error"].startswith("ValueError: row 7 is bad")
    assert len(end["error"]) <= 500
    assert reporting.state("/scans/i")["end"] == {"status": "failed", "error": end["error"]}
    assert "hunter2" not in str(reporting.requests)


@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (None, "completed"), (3, "blocked")])
def test_to_exit_is_a_failure_only_with_a_code(reporting: ApiServer, code: int | None, status: str) -> None:
    with pytest.raises(SystemExit), livewatch.run("Job", slug="job"):
        raise SystemExit(code)
    livewatch.flush()
    assert reporting.state("/streams/job")["end"]["status"] == status


def test_agents_belong_to_the_run_around_them_in_threads_and_tasks_too(reporting: ApiServer) -> None:
    async def research(name: str) -> None:
        with livewatch.agent(name, input="acme") as agent:
            await asyncio.sleep(0)
            agent.output = f"{name} done"

    async def both() -> None:
        async with livewatch.run("Research", slug="r"):
            await asyncio.gather(research("reader"), research("writer"))
            context = contextvars.copy_context()
            thread = threading.Thread(target=context.run, args=(asyncio.run, research("threaded")))
            thread.start()
            await asyncio.to_thread(thread.join)

    asyncio.run(both())
    with livewatch.agent("alone"):
        pass
    livewatch.flush()
    agents = {
        each.body["agent_name"]: reporting.state(each.path)
        for each in reporting.writes
        if each.path.startswith("/agents/") and each.method == "PUT"
    }
    assert {name: agent.get("stream") for name, agent in agents.items()} == {
        "reader": "r",
        "writer": "r",
        "threaded": "r",
        "alone": None,
    }
    assert agents["reader"]["input_summary"] == "acme"
    assert agents["reader"]["end"] == {"status": "completed", "output_summary": "reader done"}


def test_a_cancelled_agent_is_cancelled_and_a_broken_one_failed(reporting: ApiServer) -> None:
    with pytest.raises(asyncio.CancelledError), livewatch.agent("slow", slug="slow"):
        raise asyncio.CancelledError
    with pytest.raises(KeyError), livewatch.agent("bad", slug="bad"):
        raise KeyError("x")
    livewatch.flush()
    assert reporting.state("/agents/slow")["end"] == {"status": "cancelled"}
    assert reporting.state("/agents/bad")["end"] == {"status": "failed", "error": "KeyError: 'x'"}


async def test_a_watched_function_is_a_run_with_each_call(reporting: ApiServer) -> None:
    @livewatch.watch
    def add(a: int, b: int) -> int:
        livewatch.current_run().advance(a)
        return a + b

    @livewatch.watch("Fetch", total=3)
    async def fetch(n: int) -> int:
        await asyncio.sleep(0)
        with livewatch.agent("inner"):
            livewatch.current_run().advance(n)
        return n

    assert add(1, b=2) == 3
    assert list(await asyncio.gather(fetch(1), fetch(2))) == [1, 2]
    await asyncio.to_thread(livewatch.flush)
    streams = [
        reporting.state(each.path)
        for each in reporting.writes
        if each.path.startswith("/streams/") and each.method == "PUT"
    ]
    assert sorted((each["name"], each.get("total"), each["completed"]) for each in streams) == [
        ("Fetch", 3, 1),
        ("Fetch", 3, 2),
        ("add", None, 1),
    ]
    assert all(each["end"] == {"status": "completed"} for each in streams)
    assert add.__name__ == "add"


def test_alerts_and_notifications_carry_what_they_are_of(reporting: ApiServer) -> None:
    with livewatch.run("Scan", slug="s"):
        livewatch.alert("Acme", signal="layoffs", priority="high", to=["ada@example.org"], metadata={"n": float("nan")})
        livewatch.alert("Acme", strength=120)
    livewatch.notify("Done", "all of it", type="success", url="/streams")
    livewatch.notify("Odd", type="purple")
    livewatch.flush()
    assert [each.body for each in reporting.of("/alerts")] == [
        {
            "target_name": "Acme",
            "signal_type": "layoffs",
            "signal_strength": 75,
            "stream": "s",
            "metadata": {"n": None},
            "to": ["ada@example.org"],
        },
        {"target_name": "Acme", "signal_type": "alert", "signal_strength": 100, "stream": "s"},
    ]
    assert [each.body for each in reporting.of("/notifications")] == [
        {"title": "Done", "message": "all of it", "type": "success", "action_url": "/streams"},
        {"title": "Odd", "type": "info"},
    ]


def test_log_records_go_to_the_run_that_they_are_logged_in(reporting: ApiServer) -> None:
    logger = logging.getLogger("job")
    handler = livewatch.LogHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        logger.warning("nobody's")
        with livewatch.run("Import", slug="i"):
            logger.warning("disk %d %% full", 91)
            logger.debug("not asked for")
            other = threading.Thread(target=logger.error, args=("of a thread\nin two lines",))
            other.start()
            other.join()
            with livewatch.agent("a", slug="a"):
                logger.info("the agent's")
            logging.getLogger("livewatch").warning("the SDK's own")
    finally:
        logger.removeHandler(handler)
    livewatch.flush()
    posts = {each.body["run"]: each.body["lines"] for each in reporting.of("/logs")}
    assert [(line["level"], line["message"]) for line in posts["streams/i"]] == [
        ("warning", "disk 91 % full"),
        ("error", "of a thread"),
        ("error", "in two lines"),
    ]
    assert [line["message"] for line in posts["agents/a"]] == ["the agent's"]


def test_of_a_flood_of_lines_the_newest_are_kept_and_the_others_counted(reporting: ApiServer) -> None:
    with livewatch.run("Noisy") as run:
        for n in range(5_000):
            run.log(f"line {n}")
    livewatch.flush()
    lines = [line["message"] for each in reporting.of("/logs") for line in each.body["lines"]]
    told = sum(int(line.split()[1].replace(",", "")) for line in lines if line.startswith("…"))
    kept = [line for line in lines if not line.startswith("…")]
    assert kept[-1] == "line 4999"
    assert len(kept) + told == 5_000
    assert all(len(each.body["lines"]) <= 500 for each in reporting.of("/logs"))


class Awkward:
    """A value whose conversion to text raises."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.usefixtures("reporting")
def test_nothing_that_a_program_passes_makes_it_raise() -> None:
    with livewatch.run(Awkward(), total="many", metadata={"x": Awkward(), "y": {1, 2}}, slug="a b/ü") as run:  # type: ignore[arg-type]
        run.advance("five")  # type: ignore[arg-type]
        run.advance(float("nan"))
        run.set("x", total=float("inf"))  # type: ignore[arg-type]
        run.progress(-3)
        run.step(Awkward())
        run.status(Awkward())  # type: ignore[arg-type]
        run.describe(Awkward())
        run.log(Awkward())
        livewatch.alert(Awkward(), strength="much", priority=[])  # type: ignore[arg-type]
        livewatch.notify(Awkward(), b"\x00\xff", type=3)  # type: ignore[arg-type]
        with livewatch.agent(None, input=Awkward()) as agent:
            agent.output = Awkward()
    run.fail(Awkward())
    run.advance()
    run.finish()
    assert livewatch.flush()


@pytest.mark.usefixtures("off")
def test_without_settings_nothing_happens_and_everything_works() -> None:
    threads = threading.active_count()
    with livewatch.run("x", total=3) as run, livewatch.agent("a"):
        run.step("s")
        run.advance()
        run.log("l")
        livewatch.current_run().advance()
        livewatch.alert("x")
        livewatch.notify("x")
    assert livewatch.watch(lambda: 5)() == 5
    assert livewatch.flush()
    assert current_activity() is None
    assert threading.active_count() == threads


def test_the_url_of_a_run_is_that_of_its_page(reporting: ApiServer) -> None:
    with livewatch.run("Nightly", slug="n:1.a") as run:
        page = f"{reporting.url}/streams/by-slug/n:1.a"
        assert (run.url, livewatch.current_run().url) == (page, page)
        bar = livewatch.track(range(2), "Copy")
        assert bar.url is None
        for _ in bar:
            assert bar.url == page
    assert run.url == page
    loop = livewatch.track(range(1), slug="loop")
    list(loop)
    assert loop.url == f"{reporting.url}/streams/by-slug/loop"


def test_a_run_that_is_not_reported_has_no_url(off: None) -> None:
    loop = livewatch.track(range(1), slug="loop")
    list(loop)
    assert (livewatch.run("x").url, livewatch.current_run().url, loop.url) == (None, None, None)
