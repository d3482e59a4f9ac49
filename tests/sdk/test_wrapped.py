"""`livewatch run` and the SDK in its command: one run, whose signals and bars are those of the command."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.api_server import ApiServer
from tests.sdk.conftest import Start
from tests.sdk.test_command import python, said
from tests.speed import deadline, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def streams(server: ApiServer) -> set[str]:
    return {each.path for each in server.writes if each.path.startswith("/streams/")}


@pytest.mark.parametrize("name", ["SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGHUP"])
def test_signals_that_can_be_caught_reach_the_command(server: ApiServer, start: Start, name: str) -> None:
    code = f"""
import signal, sys, time
signal.signal(signal.{name}, lambda *_: print("got it", flush=True) or sys.exit(0))
print("ready", flush=True)
time.sleep(60)
"""
    process = start("-m", "livewatch", "run", "--slug", "n1", *python(code))
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(getattr(signal, name))
    assert said(process)[:2] == (0, "got it\n")
    assert server.state("/streams/n1")["end"] == {"status": "completed"}


@pytest.mark.parametrize("code", ["time.sleep(60)", "signal.signal(15, lambda *_: sys.exit(143)); time.sleep(60)"])
def test_a_command_that_is_terminated_is_cancelled(server: ApiServer, start: Start, code: str) -> None:
    program = f"import signal, sys, time; print('ready', flush=True); {code}"
    process = start("-m", "livewatch", "run", "--slug", "n1", *python(program))
    assert process.stdout
    process.stdout.readline()
    wait_until(lambda: server.of("/streams/n1"))
    process.terminate()
    assert said(process)[0] == 143
    assert server.state("/streams/n1")["end"] == {"status": "cancelled", "error": "Cancelled by SIGTERM."}


@pytest.mark.skipif(sys.platform != "linux", reason="prctl")
def test_a_command_dies_with_its_wrapper_by_choice(server: ApiServer, start: Start, tmp_path: Path) -> None:
    code = "import os, sys, time; print(os.getpid(), flush=True); time.sleep(60)"
    process = start("-m", "livewatch", "run", "--die-with-parent", "--slug", "n1", *python(code))
    assert process.stdout
    child = int(process.stdout.readline())
    process.kill()
    process.wait(deadline(10))
    wait_until(
        lambda: not Path(f"/proc/{child}").exists() or "\nState:\tZ" in Path(f"/proc/{child}/status").read_text()
    )


def test_the_command_reports_to_the_run_around_it(server: ApiServer, start: Start) -> None:
    code = """
import livewatch
run = livewatch.current_run()
run.log("from within")
run.describe("Reading")
run.step("read")
for _ in livewatch.track(range(4), "rows"):
    print(" 50%|# | 999/1998 [", flush=True)
run.finish()
"""
    assert said(start("-m", "livewatch", "run", "--name", "Job", "--slug", "job", *python(code)))[0] == 0
    assert streams(server) == {"/streams/job", "/streams/job/finish"}
    job = server.state("/streams/job")
    assert (job["name"], job["completed"], job["total"], job["end"]) == ("Job", 4, 4, {"status": "completed"})
    assert [(each["name"], each["completed"]) for each in job["bars"]] == [("rows", 4)]
    assert server.state("/scans/job")["end"] == {"status": "completed"}
    lines = [line["message"] for write in server.of("/logs") for line in write.body["lines"]]
    assert "from within" in lines


@pytest.mark.parametrize("names", [("first",), ("first", "second")])
def test_progress_that_was_only_printed_yields_to_what_is_reported(
    server: ApiServer, start: Start, names: tuple[str, ...], tmp_path: Path
) -> None:
    """Bars that were reported from the output before that are followed to their end."""
    go = tmp_path / "go"
    code = f"""
import pathlib, sys, time
for name in {names}:
    print(f"{{name}}: 20%|# | 1/5 [", file=sys.stderr, flush=True)
while not pathlib.Path({str(go)!r}).exists():
    time.sleep(0.01)
import livewatch
run = livewatch.current_run()
run.set(7, total=9)
livewatch.flush(10)
for name in {names}:
    print(f"{{name}}: 100%|#####| 5/5 [", file=sys.stderr, flush=True)
"""
    drawn = names if len(names) > 1 else ()

    def is_reported(job: dict[str, Any]) -> bool:
        return job.get("completed") == 1 and len(job.get("bars", [])) == len(drawn)

    process = start("-m", "livewatch", "run", "--slug", "job", *python(code))
    wait_until(lambda: server.of("/streams/job") and is_reported(server.state("/streams/job")))
    go.touch()
    assert said(process)[0] == 0
    job = server.state("/streams/job")
    assert (job["completed"], job["total"], job["end"]["status"]) == (7, 9, "completed")
    found = [(each["name"], each["completed"], each["status"]) for each in job.get("bars", [])]
    assert found == [(name, 5, "completed") for name in drawn]


def test_counts_of_the_command_are_those_of_the_run(server: ApiServer, start: Start) -> None:
    code = """
import livewatch
run = livewatch.current_run()
run.set(total=20)
for _ in range(20):
    run.advance()
livewatch.flush(10)
raise SystemExit("disk full")
"""
    assert said(start("-m", "livewatch", "run", "--slug", "job", *python(code)))[0] == 1
    job = server.state("/streams/job")
    assert (job["completed"], job["total"], job["end"]["status"]) == (20, 20, "blocked")
    assert job["end"]["error"].endswith("disk full")


def test_the_bars_of_tqdm_are_reported_by_choice(server: ApiServer, start: Start, tmp_path: Path) -> None:
    """Also where the program has a `sitecustomize` of its own, and knows nothing of us."""
    (tmp_path / "sitecustomize.py").write_text("print('customized', flush=True)")
    script = tmp_path / "job.py"
    script.write_text("""
from tqdm import tqdm
for _ in tqdm(range(3), desc="outer"):
    for _ in tqdm(range(5), desc="inner", unit="B", leave=False):
        pass
""")
    path = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2] / "sdk")])
    words = ["-m", "livewatch", "run", "--tqdm", "--slug", "job", "--", sys.executable, str(script)]
    code, output, errors = said(start(*words, PYTHONPATH=path))
    assert (code, output.splitlines()[-1]) == (0, "customized"), errors
    assert "outer: 100%" in errors
    job = server.state("/streams/job")
    assert streams(server) == {"/streams/job", "/streams/job/finish"}
    assert (job["completed"], job["total"]) == (3, 3)
    found = [(each["name"], each["completed"], each["status"]) for each in job["bars"]]
    assert found == [("outer", 3, "completed"), *[("inner", 5, "completed")] * 3]


def test_a_bar_of_tqdm_is_claimed_before_it_is_drawn(server: ApiServer, start: Start, tmp_path: Path) -> None:
    """Else `livewatch run` may report what it read of it, after what the program reported."""
    script = tmp_path / "job.py"
    script.write_text("""
import io, os, pathlib
from tqdm import tqdm
marker = pathlib.Path(os.environ["LIVEWATCH_RUN_PROGRESS"])
class Screen(io.StringIO):
    def write(self, text):
        print("claimed" if marker.exists() else "not claimed", flush=True)
for _ in tqdm([], file=Screen(), disable=True):
    pass
print("disabled", marker.exists())
for _ in tqdm(range(3), file=Screen()):
    pass
""")
    words = ["-m", "livewatch", "run", "--tqdm", "--slug", "job", "--", sys.executable, str(script)]
    code, output, errors = said(start(*words, PYTHONPATH=str(Path(__file__).parents[2] / "sdk")))
    assert (code, output.splitlines()[0], {*output.splitlines()[1:]}) == (0, "disabled False", {"claimed"}), errors


def test_without_that_choice_the_program_is_left_alone(server: ApiServer, start: Start) -> None:
    code = "import sys; print('livewatch' in sys.modules, 'sitecustomize' in sys.modules)"
    _, output, _ = said(start("-m", "livewatch", "run", "--slug", "job", *python(code)))
    assert output.startswith("False")


def test_bars_that_the_command_draws_are_those_of_the_run(server: ApiServer, start: Start) -> None:
    code = r"""
import sys
for n in range(0, 229, 57): print(f"\rFirst: {n // 7}%|# | {n}/715 [", end="", file=sys.stderr, flush=True)
print(file=sys.stderr)
for n in range(0, 365, 91): print(f"\rSecond: {n // 4}%|# | {n}/364 [", end="", file=sys.stderr, flush=True)
"""
    assert said(start("-m", "livewatch", "run", "--slug", "job", *python(code)))[0] == 0
    job = server.state("/streams/job")
    assert (job["completed"], job["total"]) == (364, 364)
    assert [(each["name"], each["completed"], each["total"], each["status"]) for each in job["bars"]] == [
        ("First", 228, 715, "stopped"),
        ("Second", 364, 364, "completed"),
    ]
