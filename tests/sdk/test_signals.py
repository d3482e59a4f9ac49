"""Signals, shared runs and exit handlers: how runs end when their processes do."""

import os
import signal
import subprocess
import time

import pytest

from tests.sdk.api_server import ApiServer
from tests.sdk.conftest import Start
from tests.speed import deadline, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

RUNNING = """
import livewatch, signal, sys, time
SETUP
run = livewatch.run("Job", slug="job")
with run:
    for n in livewatch.track(range(100), "loop"):
        if n == 3:
            print("ready", flush=True)
            time.sleep(60)
"""


def ready(start: Start, setup: str = "") -> "subprocess.Popen[str]":
    process = start(RUNNING.replace("SETUP", setup))
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_program_cancels_its_runs(
    server: ApiServer, start: Start, number: signal.Signals
) -> None:
    process = ready(start)
    process.send_signal(number)
    assert process.wait(deadline(10)) == -number
    job = server.state("/streams/job")
    assert job["end"] == {"status": "cancelled", "error": f"Cancelled by {number.name}."}
    assert [(each["name"], each["completed"], each["status"]) for each in job["bars"]] == [("loop", 3, "cancelled")]


def test_a_signal_that_is_ignored_ends_nothing(server: ApiServer, start: Start) -> None:
    process = ready(start, "signal.signal(signal.SIGHUP, signal.SIG_IGN)")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    process.terminate()
    assert process.wait(deadline(10)) == -signal.SIGTERM
    assert server.state("/streams/job")["end"]["error"] == "Cancelled by SIGTERM."


@pytest.mark.parametrize(
    ("handler", "code", "end"),
    [
        ("sys.exit(7)", 7, {"status": "cancelled", "error": "Cancelled by SIGTERM."}),
        ("sys.exit(0)", 0, {"status": "cancelled", "error": "Cancelled by SIGTERM."}),
        ("run.finish() or sys.exit(0)", 0, {"status": "completed"}),
    ],
)
def test_a_handler_of_the_programs_own_is_called_and_decides(
    server: ApiServer, start: Start, handler: str, code: int, end: dict[str, str]
) -> None:
    process = ready(start, f"signal.signal(signal.SIGTERM, lambda *_: print('mine') or ({handler}))")
    process.terminate()
    output, errors = process.communicate(timeout=deadline(10))
    assert (process.returncode, output) == (code, "mine\n"), errors
    assert server.state("/streams/job")["end"] == end


def test_only_the_programs_own_threads_take_its_signals(server: ApiServer, start: Start) -> None:
    process = start(
        """
import livewatch, os, signal, time
signal.signal(signal.SIGTERM, lambda *_: print("taken"))
run = livewatch.run("Job", slug="job")
livewatch.flush(10)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(1)
print("blocked")
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
"""
    )
    output, errors = process.communicate(timeout=deadline(10))
    assert (output, errors) == ("blocked\ntaken\n", "")


def test_ctrl_c_is_no_failure(server: ApiServer, start: Start) -> None:
    process = ready(start)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=deadline(10))
    assert errors.splitlines()[-1] == "KeyboardInterrupt"
    assert server.state("/streams/job")["end"] == {"status": "cancelled", "error": "Cancelled by SIGINT."}


def test_the_handlers_can_be_declined(server: ApiServer, start: Start) -> None:
    process = start(
        "import livewatch, signal\nlivewatch.run('x')\nprint(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)",
        LIVEWATCH_SIGNALS="off",
    )
    assert process.communicate(timeout=deadline(10))[0] == "True\n"


def test_a_forked_child_ends_at_a_signal_as_without_us_until_it_reports_itself(server: ApiServer, start: Start) -> None:
    process = start(
        """
import livewatch, os, signal, time
livewatch.run("parent", slug="parent")
children = []
for reports in (False, True):
    child = os.fork()
    if child == 0:
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if reports:
            livewatch.run("child", slug="child")
            livewatch.flush(10)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
""",
        PYTHONWARNINGS="ignore::DeprecationWarning",
    )
    output, errors = process.communicate(timeout=deadline(20))
    assert (output, errors) == ("[-15, -15]\n", "")
    assert server.state("/streams/child")["end"] == {"status": "cancelled", "error": "Cancelled by SIGTERM."}
    assert server.state("/streams/parent")["end"]["status"] == "blocked"


def test_reports_of_exit_handlers_are_delivered_whenever_they_were_registered(server: ApiServer, start: Start) -> None:
    process = start("""
import atexit
atexit.register(lambda: livewatch.notify("before the import"))
import livewatch
atexit.register(lambda: livewatch.notify("after the import"))
run = livewatch.run("Job", slug="job")
atexit.register(run.finish)
""")
    assert process.communicate(timeout=deadline(20))[1] == ""
    assert [each.body["title"] for each in server.of("/notifications")] == ["after the import", "before the import"]
    assert server.state("/streams/job")["end"] == {"status": "completed"}


def test_processes_that_share_a_run_add_to_it_and_it_ends_with_the_last(server: ApiServer, start: Start) -> None:
    code = """
import livewatch, sys
with livewatch.run("Shared", slug="shared", total=30) as run:
    print("began", flush=True)
    sys.stdin.readline()
    for _ in range(10):
        run.advance()
    livewatch.flush(10)
"""
    processes = [start(code, stdin=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "began\n"
    wait_until(lambda: len(server._reporters.get("streams/shared", ())) == 3)
    for n, process in enumerate(processes, 1):
        process.communicate("go\n", timeout=deadline(20))
        assert server.state("/streams/shared")["completed"] == 10 * n
        assert ("end" in server.state("/streams/shared")) == (n == 3)
    assert server.state("/streams/shared")["end"] == {"status": "completed"}
    assert all("completed" not in write.body for write in server.of("/streams/shared"))


def test_one_process_may_end_a_shared_run_for_all(server: ApiServer, start: Start) -> None:
    first = start('import livewatch, time\nlivewatch.run("S", slug="s")\nlivewatch.flush(9)\ntime.sleep(60)')
    wait_until(lambda: server._reporters.get("streams/s"))
    start('import livewatch\nlivewatch.run("S", slug="s").finish()').communicate(timeout=deadline(20))
    assert server.state("/streams/s")["end"] == {"status": "completed"}
    first.kill()
