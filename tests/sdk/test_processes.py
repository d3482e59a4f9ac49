"""Process lifecycles: exit, crash, kill, fork, and a queue shared by processes."""

import os
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation, encode, new_idempotency_key
from livewatch.settings import read_settings

from tests.sdk.api_server import ApiServer, Fault
from tests.sdk.conftest import Start
from tests.speed import deadline, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills and forks")


def ended(process: subprocess.Popen[str]) -> str:
    """Wait for exit code 0; return standard error."""
    _, errors = process.communicate(timeout=deadline(20))
    assert process.returncode == 0, errors
    return errors


def queue_of(environment: dict[str, str]) -> DiskQueue:
    settings = read_settings(environment)
    assert settings is not None
    return DiskQueue(settings.queue_file, settings.destination)


def test_a_program_that_ends_at_once_has_told_everything(server: ApiServer, start: Start) -> None:
    errors = ended(
        start("""
import livewatch
for n in livewatch.track(range(1000), "Import", slug="i"):
    pass
livewatch.run("forgotten", slug="f")
livewatch.notify("done")
""")
    )
    assert errors == ""
    assert server.state("/streams/i")["completed"] == 1000
    assert server.state("/streams/i")["end"] == {"status": "completed"}
    assert server.state("/streams/f")["end"] == {
        "status": "blocked",
        "error": "The process exited before the run ended.",
    }
    assert [each.body["title"] for each in server.of("/notifications")] == ["done"]


def test_a_program_that_crashes_has_told_by_what(server: ApiServer, start: Start) -> None:
    process = start("""
import livewatch, asyncio
async def main():
    run = livewatch.run("open", slug="open")
    for n in livewatch.track(range(1000), slug="loop"):
        if n == 37:
            raise ValueError("row 37")
asyncio.run(main())
""")
    _, errors = process.communicate(timeout=deadline(20))
    assert process.returncode == 1
    assert "ValueError: row 37" in errors.splitlines()[-1], "the traceback is printed as ever"
    for slug in ("loop", "open"):
        assert server.state(f"/streams/{slug}")["end"] == {"status": "blocked", "error": "ValueError: row 37"}
    assert server.state("/streams/loop")["completed"] == 37


def test_a_server_that_hangs_delays_the_end_by_seconds_and_the_next_process_delivers(
    server: ApiServer, start: Start
) -> None:
    server.faults = [Fault.HANG]
    began = time.monotonic()
    ended(start('import livewatch\nwith livewatch.run("x", slug="x"): pass'))
    assert time.monotonic() - began < deadline(6)
    assert server.writes == []
    ended(start('import livewatch; livewatch.notify("next")'))
    assert [(each.method, each.path) for each in server.writes] == [
        ("PUT", "/streams/x"),
        ("POST", "/streams/x/finish"),
        ("POST", "/notifications"),
    ]


def test_what_a_killed_process_left_is_delivered_once_and_in_order_by_the_next(
    server: ApiServer, start: Start, environment: dict[str, str]
) -> None:
    """10,000 updates; the first process is killed after the server carried out a batch, before its answer."""
    queue = queue_of(environment)
    queue.append(
        [Operation("POST", "/alerts", encode({"target_name": f"{n}"}), new_idempotency_key()) for n in range(10_000)]
    )
    queue.close()
    killed: list[int] = []

    def kill() -> None:
        if len(server.requests) == 7 and not killed:
            killed.append(process.pid)
            os.kill(process.pid, signal.SIGKILL)

    server.after_request = kill
    process = start('import livewatch, time\nlivewatch.alert("mine")\ntime.sleep(60)')
    assert process.wait(deadline(20)) == -signal.SIGKILL
    assert len(server.writes) == 3_500
    began = time.monotonic()
    ended(start('import livewatch\nlivewatch.alert("next")\nlivewatch.flush(30)'))
    assert time.monotonic() - began < deadline(15)
    names = [each.body["target_name"] for each in server.of("/alerts")]
    assert names == [*(f"{n}" for n in range(10_000)), "mine", "next"]
    assert len(server.requests) == 7 + 15, "the batch that was cut short was sent again, and carried out once"
    assert queue.pending_count() == 0
    queue.close()


def test_of_two_processes_one_delivers_at_a_time(server: ApiServer, start: Start, environment: dict[str, str]) -> None:
    """Each update is sent by one process only, and each process's updates in their order."""
    code = """
import livewatch, sys, time
for n in range(60):
    livewatch.alert(f"{sys.argv[0]}{sys.platform and NAME} {n}")
    time.sleep(0.01)
livewatch.flush(20)
"""
    processes = [start(code.replace("NAME", repr(name))) for name in ("a", "b", "c")]
    for process in processes:
        ended(process)
    sent = [each["idempotency_key"] for request in server.requests for each in request["operations"]]
    assert len(sent) == len(set(sent)), "nothing was sent twice"
    names = [each.body["target_name"].removeprefix("-c") for each in server.of("/alerts")]
    assert len(names) == 180
    for name in "abc":
        assert [each for each in names if each.startswith(name)] == [f"{name} {n}" for n in range(60)]


def test_a_killed_process_falls_silent_and_a_living_one_beats(server: ApiServer, start: Start) -> None:
    process = start("""
import livewatch, time
from livewatch.reporting.process import PROCESS
PROCESS.reporter().worker._heartbeats._interval_seconds = 0.2
with livewatch.run("long", slug="long"):
    time.sleep(60)
""")
    wait_until(lambda: len(server.beats) >= 3)
    process.kill()
    process.wait()
    count = len(server.beats)
    time.sleep(0.6)
    assert len(server.beats) == count
    assert "end" not in server.state("/streams/long")


def test_a_forked_child_tells_of_its_own_and_leaves_the_parents_alone(server: ApiServer, start: Start) -> None:
    errors = ended(
        start(
            """
import livewatch, os, sys, time
with livewatch.run("parent", slug="parent", total=10) as run:
    run.advance()
    time.sleep(0.7)  # The reporter is at work.
    child = os.fork()
    if child == 0:
        run.advance(5)
        with livewatch.agent("in the child", slug="agent"):
            pass
        for _ in livewatch.track(range(3), slug="child"):
            pass
        assert livewatch.flush(10)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    run.advance()
""",
            # Since Python 3.12 a fork beside threads warns.
            PYTHONWARNINGS="ignore::DeprecationWarning",
        )
    )
    assert errors == ""
    assert server.state("/streams/parent")["completed"] == 2
    assert server.state("/streams/parent")["end"] == {"status": "completed"}
    assert server.state("/streams/child")["end"] == {"status": "completed"}
    assert server.state("/agents/agent")["stream"] == "parent"
    assert len(server.of("/streams/parent/finish")) == 1


def test_the_workers_of_a_pool_tell_of_theirs_however_often_it_forks_under_load(
    server: ApiServer, start: Start
) -> None:
    errors = ended(
        start("""
import livewatch, multiprocessing, threading
def work(n):
    with livewatch.run("worker", slug=f"w{n}") as run:
        run.advance(n)
    return n
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    with livewatch.run("parent", slug="parent") as run:
        stop = threading.Event()
        def busy():
            while not stop.is_set():
                run.advance()
                livewatch.flush(0.01)
        threads = [threading.Thread(target=busy) for _ in range(2)]
        for thread in threads: thread.start()
        for _ in range(5):
            with context.Pool(2) as pool:
                assert pool.map(work, range(_ * 4, _ * 4 + 4)) == list(range(_ * 4, _ * 4 + 4))
                pool.close()
                pool.join()
        stop.set()
        for thread in threads: thread.join()
""")
    )
    assert "Traceback" not in errors
    wait_until(lambda: all("end" in server.state(f"/streams/w{n}") for n in range(20)))
    assert {server.state(f"/streams/w{n}").get("completed", 0) for n in range(20)} == set(range(20))


def test_without_settings_the_sdk_loads_neither_a_database_nor_the_network(
    start: Start, environment: dict[str, str]
) -> None:
    ended(
        start(
            """
import sys
before = set(sys.modules)
import livewatch
for _ in livewatch.track(range(3)):
    with livewatch.run("x") as run:
        run.advance()
late = {"sqlite3", "ssl", "http.client", "asyncio", "multiprocessing", "tempfile", "tomllib"}
assert not late & (set(sys.modules) - before)
""",
            LIVEWATCH_URL="",
            LIVEWATCH_KEY="",
        )
    )


def test_a_read_only_home_is_no_hindrance(server: ApiServer, start: Start) -> None:
    errors = ended(start('import livewatch; livewatch.notify("x")', LIVEWATCH_SPOOL="/proc/nowhere/spool.sqlite"))
    assert errors.startswith("Livewatch: the disk queue /proc/nowhere/spool.sqlite cannot be used")
    assert len(errors.splitlines()) == 1
    assert [each.body["title"] for each in server.of("/notifications")] == ["x"]


def test_a_queue_that_another_program_holds_does_not_hold_up_the_job(
    server: ApiServer, start: Start, environment: dict[str, str]
) -> None:
    queue = queue_of(environment)
    queue.pending_count()
    queue.close()
    holder = sqlite3.connect(Path(environment["LIVEWATCH_SPOOL"]), isolation_level=None)
    holder.execute("begin exclusive")
    process = start(f"""
import livewatch, time
began = time.monotonic()
with livewatch.run("x", slug="x") as run:
    for _ in range(1000):
        run.advance()
        livewatch.notify("x")
assert time.monotonic() - began < {deadline(0.3)}
time.sleep(2.5)
print("held", flush=True)
time.sleep(2)
""")
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    holder.execute("rollback")
    holder.close()
    ended(process)
    assert server.state("/streams/x")["completed"] == 1000
