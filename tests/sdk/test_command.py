"""The command line: output and signals passed through, reports, messages and exit codes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sdk.api_server import KEY, ApiServer, Fault
from tests.sdk.conftest import Start
from tests.speed import deadline, wait_until

posix = pytest.mark.skipif(os.name != "posix", reason="signals and terminals")
UNSET = {"LIVEWATCH_URL": "", "LIVEWATCH_KEY": ""}


def said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=deadline(20))
    assert KEY not in output + errors
    return process.returncode, output, errors


def python(code: str) -> list[str]:
    return ["--", sys.executable, "-c", code]


def test_a_wrapped_command_is_reported_from_its_start_to_its_end(server: ApiServer, start: Start) -> None:
    code = """
import os, sys
print("to stdout", flush=True)
print("to stderr", file=sys.stderr)
print("run", os.environ["LIVEWATCH_RUN"])
print("[3/4] copying")
"""
    assert said(start("-m", "livewatch", "run", "--name", "Nightly", "--slug", "n1", *python(code))) == (
        0,
        "to stdout\nrun n1\n[3/4] copying\n",
        f"Livewatch: {server.url}/streams/by-slug/n1\nto stderr\n",
    )
    stream = server.state("/streams/n1")
    assert (stream["name"], stream["completed"], stream["total"]) == ("Nightly", 3, 4)
    assert stream["end"] == {"status": "completed"}
    assert stream["metadata"]["exit_code"] == 0
    assert stream["metadata"]["seconds"] >= 0
    assert re.fullmatch(r"Exit code 0 after \d+\.\d s\.", stream["description"])
    lines = [line["message"] for write in server.of("/logs") for line in write.body["lines"]]
    assert sorted(lines) == ["[3/4] copying", "run n1", "to stderr", "to stdout"]
    assert [beat for _, runs in server.beats for beat in runs] in ([], ["streams/n1"])


def test_a_command_that_fails_is_blocked_with_its_last_lines_and_its_exit_code(server: ApiServer, start: Start) -> None:
    code = "import sys; print('fine'); print('x' * 2000, file=sys.stderr); sys.exit('row 37: no such column')"
    assert said(start("-m", "livewatch", "run", "--slug", "n1", *python(code)))[0] == 1
    end = server.state("/streams/n1")["end"]
    assert end["status"] == "blocked"
    assert re.fullmatch(r"Exit code 1 after \d+\.\d s\.\nrow 37: no such column", end["error"])
    assert server.state("/streams/n1")["metadata"]["exit_code"] == 1


def test_progress_is_told_while_the_command_runs_and_scaled_to_the_total(server: ApiServer, start: Start) -> None:
    code = "import time; print('\\r 50%|##   |', end='', flush=True); time.sleep(60)"
    process = start("-m", "livewatch", "run", "--total", "300", "--slug", "n1", *python(code))
    wait_until(lambda: server.state("/streams/n1").get("completed") == 150)
    assert server.state("/streams/n1")["total"] == 300
    wait_until(lambda: server.beats)
    process.terminate()
    assert process.wait(deadline(10)) == 128 + signal.SIGTERM


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_the_commands_to_handle(server: ApiServer, start: Start, number: signal.Signals) -> None:
    code = f"""
import signal, sys, time
def end(*_):
    print("cleaned up", flush=True)
    sys.exit(7)
signal.signal({int(number)}, end)
print("ready", flush=True)
time.sleep(60)
"""
    process = start("-m", "livewatch", "run", "--slug", "n1", *python(code))
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert said(process)[:2] == (7, "cleaned up\n")
    assert server.state("/streams/n1")["metadata"]["exit_code"] == 7


@posix
@posix
def test_the_url_of_a_run_is_never_in_the_output_of_its_command(server: ApiServer, start: Start) -> None:
    code = "import os; os.write(1, b'done\\n')"
    words = ["-m", "livewatch", "run", "--slug", "n1", *python(code)]
    closed = "import os, sys; os.close(2); os.execv(sys.executable, sys.argv)"
    for variables in ({}, UNSET):
        assert said(start("-c", closed, *words, **variables)) == (0, "done\n", "")
    assert server.state("/streams/n1")["end"] == {"status": "completed"}


def test_a_command_that_a_signal_ends_gives_128_and_its_number(server: ApiServer, start: Start) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert said(start("-m", "livewatch", "run", "--slug", "n1", *python(code)))[0] == 137
    assert server.state("/streams/n1")["end"]["error"].startswith("SIGKILL after")


def test_a_command_that_is_not_there_is_said_and_reported(server: ApiServer, start: Start, tmp_path: Path) -> None:
    code, _, errors = said(start("-m", "livewatch", "run", "--quiet", "--slug", "n1", "--", "no-such-command"))
    assert (code, errors) == (
        127,
        "livewatch: no-such-command: command not found; check its spelling and PATH.\n",
    )
    assert server.state("/streams/n1")["end"]["status"] == "blocked"
    plain = tmp_path / "plain.txt"
    plain.write_text("no program")
    assert said(start("-m", "livewatch", "run", "--", str(plain)))[0] == 126
    assert said(start("-m", "livewatch", "run", "--", "no-such-command", **UNSET))[0] == 127


def test_without_settings_the_command_runs_all_the_same(server: ApiServer, start: Start) -> None:
    command = ["-m", "livewatch", "run", "--name", "x", *python("import sys; print('done'); sys.exit(3)")]
    code, output, errors = said(start(*command, **UNSET))
    assert (code, output) == (3, "done\n")
    assert errors == (
        "livewatch: this run is not reported. LIVEWATCH_URL and LIVEWATCH_KEY are not set: "
        "run `livewatch login URL`, or set them; an admin creates a key under Settings.\n"
    )
    code, output, errors = said(start(*command, LIVEWATCH_URL="ftp://nowhere"))
    assert (code, output) == (3, "done\n")
    assert "LIVEWATCH_URL is not a valid URL" in errors
    assert server.requests == []


@posix
def test_without_settings_a_closed_pipe_ends_the_command_as_ever(start: Start) -> None:
    command = ["-m", "livewatch", "run", "--", "sh", "-c", "yes; exit 0"]
    process = start(*command, **UNSET)
    assert process.stdout
    assert process.stdout.readline() == "y\n"
    process.stdout.close()
    assert process.wait(deadline(10)) in (0, -signal.SIGPIPE)


@posix
def test_who_reads_no_further_ends_the_command_as_without_us(server: ApiServer, start: Start) -> None:
    process = start("-m", "livewatch", "run", "--slug", "n1", "--", "yes")
    assert process.stdout
    assert process.stdout.readline() == "y\n"
    process.stdout.close()
    assert process.wait(deadline(10)) == 128 + signal.SIGPIPE
    assert server.state("/streams/n1")["end"]["error"].startswith("SIGPIPE")


def test_a_server_that_hangs_delays_neither_the_command_nor_by_more_than_seconds_its_end(
    server: ApiServer, start: Start
) -> None:
    server.faults = [Fault.HANG] * 3
    began = time.monotonic()
    process = start("-m", "livewatch", "run", *python("import time; time.sleep(1); print('done', flush=True)"))
    assert process.stdout
    assert process.stdout.readline() == "done\n"
    assert time.monotonic() - began < deadline(3)
    assert process.wait(deadline(10)) == 0
    assert time.monotonic() - began < deadline(7)


@posix
def test_bytes_pass_unchanged_and_as_fast_as_they_come(server: ApiServer, start: Start) -> None:
    """20 MB of all byte values."""
    code = "import os, sys; data = bytes(range(256)) * 4096\nfor _ in range(20): sys.stdout.buffer.write(data)"
    process = subprocess.Popen(
        [sys.executable, "-m", "livewatch", "run", *python(code)],
        env={**os.environ, "LIVEWATCH_URL": server.url, "LIVEWATCH_KEY": KEY, "LIVEWATCH_SPOOL": "off"}
        | {"PYTHONPATH": str(Path(__file__).parents[2] / "sdk")},
        stdout=subprocess.PIPE,
    )
    output, _ = process.communicate(timeout=deadline(20))
    assert process.returncode == 0
    assert output == bytes(range(256)) * 4096 * 20


@posix
def test_on_a_terminal_the_command_has_a_terminal(
    server: ApiServer, environment: dict[str, str], tmp_path: Path
) -> None:
    """Of the same size, with standard error redirected separately and output unprocessed."""
    import pty  # noqa: PLC0415
    import termios  # noqa: PLC0415

    code = """
import os, sys
print(sys.stdout.isatty(), sys.stderr.isatty(), os.get_terminal_size(1).columns)
print("\\r 45%|####", end="")
print("oops", file=sys.stderr)
"""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 123))
    with (tmp_path / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "livewatch", "run", "--quiet", "--slug", "n1", *python(code)],
            env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2] / "sdk")},
            stdin=slave,
            stdout=slave,
            stderr=errors,
            start_new_session=True,
        )
    os.close(slave)
    drawn = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        drawn += piece
    os.close(master)
    assert process.wait(deadline(10)) == 0
    assert drawn == b"True False 123\r\n\r 45%|####"
    assert (tmp_path / "errors").read_text() == "oops\n"
    assert server.state("/streams/n1")["completed"] == 45


@posix
@pytest.mark.parametrize("by", ["Ctrl-C", "kill"])
def test_a_ctrl_c_reaches_the_command_once(server: ApiServer, environment: dict[str, str], by: str) -> None:
    """Typed, it reaches the whole foreground group; sent to `livewatch` alone, it is forwarded."""
    import pty  # noqa: PLC0415

    code = """
import signal, sys, time
count = 0
def note(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, note)
print("ready", flush=True)
ends_at = time.monotonic() + 60
while not count and time.monotonic() < ends_at:
    time.sleep(0.01)
time.sleep(0.3)
print("count", count, flush=True)
"""
    # The leader of the session, whose terminal this becomes.
    leader = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "livewatch", "run", "--slug", "n1", *python(code)]
    process = subprocess.Popen(
        [sys.executable, "-c", leader, *command] if by == "Ctrl-C" else command,
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2] / "sdk")},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    drawn = b""
    while b"ready" not in drawn:
        drawn += os.read(master, 4096)
    if by == "Ctrl-C":
        os.write(master, b"\x03")
    else:
        process.send_signal(signal.SIGINT)
    while not (counted := re.search(rb"count (\d)", drawn)):
        drawn += os.read(master, 4096)
    assert counted[1] == b"1"
    assert process.wait(deadline(10)) == 0
    os.close(master)


def test_an_alert_within_a_wrapped_command_is_of_its_stream(server: ApiServer, start: Start) -> None:
    words = [sys.executable, "-m", "livewatch", "alert", "Disk full", "--priority", "high", "--type", "disk"]
    assert said(start("-m", "livewatch", "run", "--quiet", "--slug", "n1", "--", *words)) == (0, "", "")
    (alert,) = server.of("/alerts")
    assert alert.body == {"target_name": "Disk full", "signal_type": "disk", "signal_strength": 75, "stream": "n1"}


def test_progress_alerts_and_notifications_are_one_line_each(server: ApiServer, start: Start) -> None:
    for words in (
        ["progress", "backup", "40"],
        ["progress", "backup", "45%", "--name", "Backup"],
        ["progress", "rows", "120", "--total", "900"],
        ["progress", "backup", "--done"],
        ["progress", "rows", "--fail", "no space"],
        ["alert", "Disk full", "--strength", "93", "--to", "ada@example.org", "--company", "Acme"],
        ["notify", "Backup done", "All of it.", "--type", "success", "--url", "/streams"],
    ):
        assert said(start("-m", "livewatch", *words)) == (0, "", ""), words
    backup, rows = server.state("/streams/backup"), server.state("/streams/rows")
    assert (backup["completed"], backup["total"], backup["name"]) == (100, 100, "Backup")
    assert backup["end"] == {"status": "completed"}
    assert (rows["completed"], rows["total"]) == (120, 900)
    assert rows["end"] == {"status": "blocked", "error": "no space"}
    assert [alert.body for alert in server.of("/alerts")] == [
        {
            "target_name": "Disk full",
            "signal_type": "alert",
            "signal_strength": 93,
            "company_name": "Acme",
            "to": ["ada@example.org"],
        }
    ]
    assert [each.body for each in server.of("/notifications")] == [
        {"title": "Backup done", "message": "All of it.", "type": "success", "action_url": "/streams"}
    ]


def test_a_total_that_was_given_stays_and_done_is_all_of_it(server: ApiServer, start: Start) -> None:
    def progress(*words: str) -> tuple[float, float]:
        assert said(start("-m", "livewatch", "progress", "r", *words)) == (0, "", "")
        state = server.state("/streams/r")
        return state["completed"], state["total"]

    assert progress("5.5", "--total", "10", "--unit", "files") == (5.5, 10)
    assert progress("6") == (6, 10)
    assert progress("70%") == (7, 10)
    assert progress("--done") == (10, 10)
    assert server.state("/streams/r")["unit"] == "files"


def test_the_version_is_said(start: Start) -> None:
    assert re.fullmatch(r"livewatch \d+\.\d+\.\d+\n", said(start("-m", "livewatch", "--version"))[1])


def test_what_is_refused_is_said_with_the_servers_words(server: ApiServer, start: Start) -> None:
    server.refuse = lambda path, body: 422 if path == "/alerts" else None
    assert said(start("-m", "livewatch", "alert", "x")) == (1, "", "livewatch: /alerts was rejected: it is refused\n")
    said(start("-m", "livewatch", "progress", "backup@1a", "--done"))
    code, _, errors = said(start("-m", "livewatch", "progress", "backup@1a", "40"))
    assert (code, errors) == (1, "livewatch: /streams/backup@1a was rejected: use a new key\n")
    server.key = "lw_another"
    code, _, errors = said(start("-m", "livewatch", "notify", "x"))
    assert code == 1
    assert "rejected LIVEWATCH_KEY: The key is unknown or revoked." in errors


def test_while_the_server_is_away_a_report_is_kept_for_the_next(server: ApiServer, start: Start) -> None:
    code, _, errors = said(start("-m", "livewatch", "notify", "first", LIVEWATCH_URL="http://127.0.0.1:9"))
    assert code == 3
    assert errors.startswith(
        "livewatch: delivery failed; the report stays queued: cannot reach http://127.0.0.1:9: connection refused"
    )
    assert len(errors.splitlines()) == 1
    server.faults = [Fault.BROKEN] * 100
    assert said(start("-m", "livewatch", "notify", "second"))[0] == 3
    server.faults.clear()
    assert said(start("-m", "livewatch", "notify", "third"))[0] == 0
    assert [each.body["title"] for each in server.of("/notifications")] == ["second", "third"]


def test_a_check_says_whose_key_it_is_or_what_to_do(server: ApiServer, start: Start) -> None:
    assert said(start("-m", "livewatch", "check")) == (
        0,
        f"{server.url} accepts this key. Organisation: Ada's. Scopes: runs.\n",
        "",
    )
    for variables, code, sentence in (
        ({"LIVEWATCH_KEY": "lw_another_key_of_nobody"}, 1, "The key is unknown or revoked."),
        ({"LIVEWATCH_KEY": "secret"}, 2, "LIVEWATCH_KEY is not a valid ingest key"),
        (UNSET, 2, "LIVEWATCH_URL and LIVEWATCH_KEY are not set: run `livewatch login URL`, or set them; an admin"),
        ({"LIVEWATCH_URL": "http://127.0.0.1:9"}, 3, "connection refused; check that Livewatch is running"),
        ({"LIVEWATCH_URL": f"{server.url}/elsewhere"}, 1, "is not a Livewatch API, or an older version"),
    ):
        answer, output, errors = said(start("-m", "livewatch", "check", **variables))
        assert (answer, output) == (code, ""), errors
        assert sentence in errors
        assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "--name", "x"], "missing command after --"),
        (["progress", "backup"], "missing progress"),
        (["progress", "backup", "120%"], "120% is more than 100 per cent"),
        (["progress", "backup", "nan"], "nan is not a number from 0 to 2**53"),
        (["progress", "backup", "5", "--total", "0"], "0 is not a positive number"),
        (["alert", "x", "--priority", "huge"], "invalid choice: 'huge'"),
        (["alert", "x", "--strength", "101"], "101 is not between 0 and 100"),
        ([], "COMMAND"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_wrong(start: Start, words: list[str], sentence: str) -> None:
    code, _, errors = said(start("-m", "livewatch", *words))
    assert code == 2
    assert sentence in errors.splitlines()[-1]


def test_help_documents_the_exit_codes(start: Start) -> None:
    code, output, _ = said(start("-m", "livewatch", "--help"))
    assert code == 0
    assert re.search(r"127 if the command\s+was not found", output)
    assert said(start("-m", "livewatch", "run", "--help"))[0] == 0
