"""The README's snippets run unchanged and report without errors."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.sdk.api_server import KEY, ApiServer
from tests.sdk.conftest import Start
from tests.speed import deadline

README = (Path(__file__).parents[2] / "sdk" / "README.md").read_text()
SNIPPETS = re.findall(r"^## (.+?)$|```python\n(.*?)```", f"## The first\n{README}", re.DOTALL | re.MULTILINE)


def snippets() -> list[tuple[str, str]]:
    """Return the snippets with their section titles."""
    found, section = [], ""
    for title, code in SNIPPETS:
        section = title or section
        if code and "livewatch.api" not in code:
            found.append((section, code))
    return found


def test_the_snippet_that_reads_reads(server: ApiServer, start: Start) -> None:
    (code,) = (code for _, code in SNIPPETS if "livewatch.api" in code)
    stream = dict.fromkeys(("id", "url", "name", "slug"), "nightly")
    server.lists = {"/streams": [stream], "/streams/nightly/logs": [{"id": 1, "at": "2026-01-01T00:00:00Z"}]}
    process = start(code)
    output, errors = process.communicate(timeout=deadline(20))
    assert (output, errors) == ("nightly None None\n2026-01-01 00:00:00+00:00 None\n", "")
    process = start(code, LIVEWATCH_URL="", LIVEWATCH_KEY="")
    _, errors = process.communicate(timeout=deadline(20))
    assert "NotConfiguredError: LIVEWATCH_URL and LIVEWATCH_KEY are not set: run `livewatch login URL`" in errors


def finished(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=deadline(20))
    assert process.returncode == 0, errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(("section", "code"), snippets(), ids=[section for section, _ in snippets()])
def test_a_snippet_runs_with_a_server_and_without(server: ApiServer, start: Start, section: str, code: str) -> None:
    finished(start(code))
    assert server.writes, "it reports"
    assert all("error" not in write.body for write in server.writes), "and nothing fails"
    streams = {write.path for write in server.writes if write.path.startswith("/streams/")}
    assert len({path.split("/")[2] for path in streams}) <= 1
    count = len(server.writes)
    finished(start(code, LIVEWATCH_URL="", LIVEWATCH_KEY=""))
    assert len(server.writes) == count


def test_every_feature_has_a_snippet() -> None:
    code = "".join(code for _, code in snippets())
    features = {"track", "run", "watch", "agent", "alert", "notify", "LogHandler", "current_run"}
    assert features <= set(re.findall(r"livewatch\.(\w+)", code))
    assert "from livewatch.tqdm import tqdm" in code
    assert "livewatch.tqdm.patch()" in code


def test_the_commands_are_those_that_there_are(start: Start) -> None:
    shown = set(re.findall(r"^livewatch (\w+)", README, re.MULTILINE))
    process = start("-m", "livewatch", "--help")
    output, _ = process.communicate(timeout=deadline(20))
    known = set(re.findall(r"^    (\w+)(?: {2,}|$)", output, re.MULTILINE))
    assert shown == known
    assert known == (
        {"login", "whoami", "logout", "run", "progress", "alert", "notify", "tail", "check", "mcp"}
        | {"ls", "show", "logs", "open", "close", "archive", "unarchive", "delete"}
    )


def test_no_key_is_shown_by_any_snippet(server: ApiServer, start: Start) -> None:
    process = start("import livewatch\nwith livewatch.run('x') as run: run.log('" + KEY + "')")
    output, errors = process.communicate(timeout=deadline(20))
    assert KEY not in output + errors
    assert [line["message"] for write in server.of("/logs") for line in write.body["lines"]] == ["[key]"]
