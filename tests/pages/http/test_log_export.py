"""The download of logs as text: all of a run or an organisation, or what a filter leaves, for members only."""

from uuid import uuid4

import httpx
import pytest

from pages.http import log_export
from tests.pages.http.conftest import enter
from tests.world import World

pytestmark = pytest.mark.integration


async def test_a_log_is_downloaded_whole_or_filtered_as_text_that_moves_no_cursor(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_export, "PAGE_LINES", 2)
    org, run, other = await world.organization(), uuid4(), uuid4()
    ada = await world.person(org)
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Import')", run, org)
    messages = ["first", "\x1b[31mred\x1b[2J \x1b]8;;http://e\x1b\\link", "10 %\r100 %", "two\nlines", "שלום last"]
    for n, (message, level) in enumerate(zip(messages, ["info", "error", "info", "warning", "debug"], strict=True)):
        await world.sql(
            "insert into log_lines (org_id, run_id, at, level, message)"
            " values (%s, %s, timestamptz '2026-11-20 12:00:00.5Z' + %s * interval '1 s', %s, %s)",
            org, run, n, level, message,
        )  # fmt: skip
    await world.sql("insert into log_lines (org_id, run_id, message) values (%s, %s, 'red of another')", org, other)
    await enter(http, ada)
    answer = await http.get(f"/export/log.txt?run={run}")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"].startswith('attachment; filename="log-')
    assert answer.text.splitlines() == [
        "2026-11-20T12:00:00.500Z INFO     first",
        "2026-11-20T12:00:01.500Z ERROR    red link",
        "2026-11-20T12:00:02.500Z INFO     100 %",
        "2026-11-20T12:00:03.500Z WARNING  two",
        "    lines",
        "2026-11-20T12:00:04.500Z DEBUG    שלום last",
    ]
    filtered = await http.get(f"/export/log.txt?run={run}&level=warning&from=2026-11-20T12:00:02Z")
    assert [each.split()[-1] for each in filtered.text.splitlines()] == ["two", "lines"]
    everywhere = (await http.get(f"/export/log.txt?org={org}&q=^red&regex=1")).text.splitlines()
    assert everywhere[0] == "2026-11-20T12:00:01.500Z ERROR    [Import] red link"
    assert everywhere[1].endswith(f"INFO     [{other}] red of another")
    noted = await world.sql(
        "select after ->> 'q' from audit_events where org_id = %s and subject = 'log_lines' order by id", org
    )
    assert noted == [(None,), (None,), ("^red",)]


async def test_a_download_is_refused_with_a_reason(world: World, http: httpx.AsyncClient) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada = await world.person(ours)
    run = uuid4()
    await world.sql("insert into log_lines (org_id, run_id, message) values (%s, %s, 'secret')", theirs, run)
    assert (await http.get("/export/log.txt")).status_code in (303, 401, 404)
    await enter(http, ada)
    assert (await http.get(f"/export/log.txt?run={run}")).text == ""
    for query, status, reason in (
        (f"org={theirs}", 403, "You are not a member of the organisation"),
        ("q=(&regex=1", 400, "The regular expression is not valid"),
        ("q=" + "x" * 10_240, 400, "The search has 10,240 characters"),
        ("from=Mars/Phobos", 400, "“Mars/Phobos” is not a time"),
        ("job=streams/none", 404, "There is no job “streams/none”."),
        ("run=none", 400, "“none” is not the id of a run."),
    ):
        answer = await http.get(f"/export/log.txt?{query}")
        assert (answer.status_code, reason in answer.text) == (status, True), answer.text
