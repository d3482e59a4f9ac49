"""`livewatch tail`: one line per change, reconnection, colours and exit codes."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from livewatch.cli.tail import format_change

from tests.sdk.api_server import ApiServer, serving
from tests.sdk.conftest import Start
from tests.speed import deadline, wait_until

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals")

CHANGE = {
    "at": "2026-01-02T03:04:05.678+00:00",
    "kind": "stream",
    "slug": "import",
    "name": "Nightly import",
    "status": "in_progress",
    "percent": 45.0,
}


def tell(server: ApiServer, **change: Any) -> None:
    for line in ("event: change", f"data: {json.dumps({**CHANGE, **change})}", ""):
        server.feed.put(line)


def test_a_change_is_a_line_and_ctrl_c_ends_it_quietly(server: ApiServer, start: Start) -> None:
    process = start("-m", "livewatch", "tail", TZ="UTC")
    tell(server)
    tell(server, kind="agent", name="Writer", status="failed", percent=None, error="no more tokens")
    assert process.stdout
    assert process.stdout.readline() == ("03:04:05  stream  Nightly import                    in_progress   45.0 %\n")
    assert process.stdout.readline() == (
        "03:04:05  agent   Writer                            failed                no more tokens\n"
    )
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=deadline(10)) == ("", "")
    assert process.returncode == 0


def test_a_connection_that_is_lost_is_made_anew(server: ApiServer, start: Start) -> None:
    process = start("-m", "livewatch", "tail")
    tell(server, name="first")
    assert process.stdout
    assert "first" in process.stdout.readline()
    server.feed.put(None)
    wait_until(lambda: server.requests.count({"feed": True}) >= 2)
    tell(server, name="second")
    assert "second" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=deadline(10))
    assert "livewatch: the server closed the stream; reconnecting.\n" in errors


def test_a_connection_goes_on_where_the_last_one_ended(server: ApiServer, start: Start) -> None:
    def send(*lines: str | None) -> None:
        for line in lines:
            server.feed.put(line)

    def event(position: str, event: str, **data: Any) -> tuple[str, str, str, str]:
        return (f"id: {position}", f"event: {event}", f"data: {json.dumps({**CHANGE, 'id': 'one', **data})}", "")

    process = start("-m", "livewatch", "tail")
    assert process.stdout
    send(": connected", "id: 100", "", *event("110", "change", version=7, name="first"))
    assert "first" in process.stdout.readline()
    # Of an event that is cut off nothing counts.
    send("id: 120", "event: change", None)
    wait_until(lambda: server.last_event_ids == [None, "110"])
    send(*event("110", "change", version=7, name="told before"))
    send(*event("130", "change", version=8, name="second"), *event("130", "delete", version=9, status=None))
    assert "second" in process.stdout.readline()
    assert "deleted" in process.stdout.readline()
    send("event: reset", 'data: {"message": "too old"}', "", None)
    wait_until(lambda: server.last_event_ids == [None, "110", "130"])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=deadline(10))
    assert "some changes were missed; `livewatch ls` has the present states." in errors


def test_a_server_that_is_not_there_yet_is_waited_for(start: Start) -> None:
    with serving(ApiServer()) as early:
        port = int(early.url.rpartition(":")[2])
    process = start("-m", "livewatch", "tail", LIVEWATCH_URL=f"http://127.0.0.1:{port}")
    assert process.stderr
    assert re.search(r"connection refused;.*; reconnecting\.$", process.stderr.readline())
    with serving(ApiServer(), port=port) as late:
        tell(late, name="late")
        assert process.stdout
        assert "late" in process.stdout.readline()
        process.terminate()
        process.wait()


def test_a_key_that_is_refused_ends_it_with_the_servers_words(server: ApiServer, start: Start) -> None:
    process = start("-m", "livewatch", "tail")
    wait_until(lambda: {"feed": True} in server.requests)
    server.key = "lw_another"
    server.feed.put(None)
    _, errors = process.communicate(timeout=deadline(10))
    assert process.returncode == 1
    assert errors.splitlines()[-1] == "livewatch: The key is unknown or revoked."
    process = start("-m", "livewatch", "tail", LIVEWATCH_KEY="", LIVEWATCH_URL="")
    _, errors = process.communicate(timeout=deadline(10))
    assert process.returncode == 2
    assert "an admin creates a key under Settings" in errors


def test_who_reads_no_further_ends_it(server: ApiServer, start: Start) -> None:
    process = start("-m", "livewatch", "tail")
    tell(server)
    assert process.stdout
    process.stdout.readline()
    process.stdout.close()
    for _ in range(3):
        tell(server)
    assert process.wait(deadline(10)) == 0
    assert process.stderr
    assert process.stderr.read() == ""


def test_colour_is_for_terminals_and_no_name_moves_the_cursor(server: ApiServer, environment: dict[str, str]) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "livewatch", "tail"],
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2] / "sdk")},
        stdout=slave,
    )
    os.close(slave)
    tell(server, name="\x1b[1mevil\x1b[2J\x9b1A\r\u202ename", status="failed")
    drawn = b""
    while b"\n" not in drawn:
        drawn += os.read(master, 4096)
    process.terminate()
    process.wait(deadline(10))
    os.close(master)
    assert b"\x1b[31mfailed     \x1b[0m" in drawn
    assert drawn.count(b"\x1b") == 4
    assert "\x1b[1mevil  name\x1b[0m   " in drawn.decode()


@pytest.mark.parametrize(
    ("given", "plain", "coloured"),
    [
        ("\x1b[31mred", "red", "\x1b[31mred\x1b[0m"),
        ("\x1b[38;2;1;2;3mx\x1b[m", "x", "\x1b[38;2;1;2;3mx\x1b[m\x1b[0m"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link", "link"),
        ("\x1b]0;a title\x07text", "text", "text"),
        ("\x1b]0;a title that never ends", "", ""),
        ("up\x1b[2A\x1b[10;20Hover\x1b[?1049h", "upover", "upover"),
        ("never ends\x1b[38;5", "never ends", "never ends"),
        ("a\x1b[31\x1b[2Jb", "ab", "ab"),
        ("a\0b\rc\x1bPq#0\x1b\\d\u202ee", "a b cd e", "a b cd e"),
        ("\x1b", "", ""),
    ],
)
def test_of_escape_sequences_only_colours_are_printed_and_only_on_a_terminal(
    given: str, plain: str, coloured: str
) -> None:
    """They end with their field, and take no part in its width."""
    change = {"kind": "run", "name": given, "error": given}
    line = format_change(change, is_coloured=False)
    assert line == f"{'':8}  run     {plain:<32}  {'':11}  {'':7}  {plain}".rstrip()
    shown = coloured + " " * (32 - len(plain))
    status = "\x1b[36m           \x1b[0m"
    assert format_change(change, is_coloured=True) == f"{'':8}  run     {shown}  {status}  {'':7}  {coloured}".rstrip()


@pytest.mark.parametrize(
    ("percent", "shown"), [(0, "0.0"), (29.0, "29.0"), (48.75, "48.7"), (57.99999999999999, "58.0"), (99.97, "99.9")]
)
def test_a_percentage_is_in_whole_tenths_that_are_reached(percent: float, shown: str) -> None:
    line = format_change({"kind": "scan", "name": "x", "percent": percent}, is_coloured=False)
    assert line.split() == ["scan", "x", shown, "%"]


def test_what_is_not_known_is_left_blank() -> None:
    assert format_change({"kind": "scan", "name": "x", "percent": "high"}, is_coloured=False).split() == ["scan", "x"]
    assert format_change({}, is_coloured=False) == ""
