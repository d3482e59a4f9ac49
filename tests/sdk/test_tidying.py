"""`livewatch close`, `archive` and `delete`: what they send, ask, print and return."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sdk.api_server import KEY, ApiServer, Fault
from tests.sdk.conftest import Start
from tests.speed import deadline

posix = pytest.mark.skipif(os.name != "posix", reason="terminals")


def said(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=deadline(20))
    assert KEY not in output + errors
    return process.returncode, output, errors


def report(start: Start, *slugs: str) -> None:
    for slug in slugs:
        assert said(start("-m", "livewatch", "progress", slug, "40"))[0] == 0


def written(server: ApiServer) -> list[tuple[str, str, dict[str, object]]]:
    """Return the writes that are no report."""
    return [(write.method, write.path, write.body) for write in server.writes if write.method != "PUT"]


def test_a_run_is_closed_with_its_cause(server: ApiServer, start: Start) -> None:
    report(start, "n1")
    command = ("-m", "livewatch", "close", "n1", "--error", "host is down")
    assert said(start(*command)) == (0, "Closed the stream n1.\n", "")
    assert written(server) == [("POST", "/streams/n1/close", {"error": "host is down"})]


def test_runs_of_a_kind_are_archived_each_once(server: ApiServer, start: Start) -> None:
    server._known |= {"scans/a", "scans/b"}
    code, output, errors = said(start("-m", "livewatch", "archive", "--kind", "scan", "a", "b", "a"))
    assert (code, output, errors) == (0, "Archived the scan a.\nArchived the scan b.\n", "")
    assert written(server) == [("POST", "/scans/a/archive", {}), ("POST", "/scans/b/archive", {})]


def test_archived_runs_are_brought_back(server: ApiServer, start: Start) -> None:
    server._known.add("streams/n1")
    assert said(start("-m", "livewatch", "unarchive", "n1")) == (0, "Brought back the stream n1.\n", "")
    assert written(server) == [("POST", "/streams/n1/unarchive", {})]


def test_a_run_that_does_not_exist_is_named_and_the_others_are_deleted(server: ApiServer, start: Start) -> None:
    report(start, "n1", "n2")
    code, output, errors = said(start("-m", "livewatch", "delete", "n1", "gone", "n2", "--yes"))
    assert (code, output) == (1, "Deleted the stream n1.\nDeleted the stream n2.\n")
    assert errors == "livewatch: There is no streams/gone.\n"
    assert written(server) == [("DELETE", "/streams/n1", {}), ("DELETE", "/streams/n2", {})]


def test_a_run_that_is_over_is_not_closed(server: ApiServer, start: Start) -> None:
    assert said(start("-m", "livewatch", "progress", "n1", "--done"))[0] == 0
    code, output, errors = said(start("-m", "livewatch", "close", "n1"))
    assert (code, output, errors) == (1, "", "livewatch: use a new key\n")


def test_without_a_terminal_a_deletion_needs_yes(server: ApiServer, start: Start) -> None:
    report(start, "n1")
    code, output, errors = said(start("-m", "livewatch", "delete", "n1"))
    assert (code, output) == (2, "")
    assert "--yes" in errors
    assert written(server) == []


@posix
@pytest.mark.parametrize(
    ("answer", "code"), [(b"y\n", 0), (b"YES\n", 0), (b"\n", 1), (b"yep\n", 1), (b"\x04", 1), (b"\x03", 130)]
)
def test_on_a_terminal_a_deletion_is_asked_for(
    server: ApiServer, start: Start, environment: dict[str, str], answer: bytes, code: int
) -> None:
    import pty  # noqa: PLC0415

    report(start, "n1")
    # The leader of the session, whose terminal this becomes.
    leader = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", leader, sys.executable, "-m", "livewatch", "delete", "n1"],
        env={**os.environ, **environment, "PYTHONPATH": str(Path(__file__).parents[2] / "sdk")},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    drawn = b""
    while b"[y/N]" not in drawn:
        drawn += os.read(master, 4096)
    assert b"Delete the stream n1 and all that belongs to it? This cannot be undone." in drawn
    os.write(master, answer)
    while piece := read(master):
        drawn += piece
    os.close(master)
    assert process.wait(deadline(10)) == code
    assert {0: b"Deleted the stream n1.", 1: b"nothing was deleted", 130: b"^C"}[code] in drawn
    assert written(server) == ([("DELETE", "/streams/n1", {})] if code == 0 else [])


def read(master: int) -> bytes:
    """Read from a terminal; nothing once its last program has ended."""
    try:
        return os.read(master, 4096)
    except OSError:
        return b""


@pytest.mark.parametrize("slug", ["", " ", "..", "a/b", "a?b", "My Job", "x" * 121, "\u2800", "n1\n"])
def test_what_is_no_slug_deletes_nothing(server: ApiServer, start: Start, slug: str) -> None:
    """Reports take the closest slug; of an unset variable that would be "run"."""
    code, output, errors = said(start("-m", "livewatch", "delete", "--yes", slug))
    assert (code, output) == (2, "")
    assert "is no slug" in errors
    assert server.requests == []


def test_an_unreachable_server_is_told_and_nothing_is_queued(server: ApiServer, start: Start, tmp_path: Path) -> None:
    report(start, "n1")
    code, _, errors = said(start("-m", "livewatch", "delete", "n1", "--yes", LIVEWATCH_URL="http://127.0.0.1:9"))
    assert code == 3
    assert "run it again" in errors
    assert said(start("-m", "livewatch", "check"))[1].count("queued") == 0
    server.faults = [Fault.AWAY]
    code, _, errors = said(start("-m", "livewatch", "archive", "n1"))
    assert (code, "away. Try again" in errors) == (3, True)
    server.faults = [Fault.CUT_AFTER]
    assert said(start("-m", "livewatch", "close", "n1"))[0] == 3


def test_a_bad_key_and_missing_settings_are_told(server: ApiServer, start: Start) -> None:
    code, _, errors = said(start("-m", "livewatch", "close", "n1", LIVEWATCH_KEY="lw_bbbbbbbbbbbb_" + "x" * 32))
    assert code == 1
    assert "rejected LIVEWATCH_KEY" in errors
    code, _, errors = said(start("-m", "livewatch", "delete", "n1", LIVEWATCH_URL="", LIVEWATCH_KEY=""))
    assert code == 2
    assert "are not set" in errors
    assert server.writes == []


def test_more_runs_than_a_batch_takes_are_deleted_in_several(server: ApiServer, start: Start) -> None:
    slugs = [f"n{number}" for number in range(501)]
    server._known |= {f"agents/{slug}" for slug in slugs}
    code, output, _ = said(start("-m", "livewatch", "delete", "--yes", "--kind", "agent", *slugs))
    assert (code, output.count("Deleted the agent")) == (0, 501)
    assert [len(request["operations"]) for request in server.requests] == [500, 1]
