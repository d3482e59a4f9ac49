"""Values that are no values: each is left out with a warning, and the rest of the run goes on."""

import re
from typing import Any

import livewatch
import pytest
from livewatch.delivery.operations import checked_slug, keyed_slug, slug_of

from tests.sdk.api_server import ApiServer


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -1, "many", None, 2**53 + 1, [], 1e300])
def test_a_bad_count_is_dropped_with_one_warning_and_later_ones_count(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture, bad: Any
) -> None:
    with livewatch.run("r", slug="r", total=100) as run:
        run.set(50)
        run.set(bad)
        run.set(bad, total=bad)
        run.advance(10)
        if bad != -1:
            run.advance(bad)
    livewatch.flush()
    assert (reporting.state("/streams/r")["completed"], reporting.state("/streams/r")["total"]) == (60, 100)
    assert len([each for each in caplog.messages if "number from 0 to 2**53" in each]) == 1


def test_an_unknown_status_is_left_out_and_the_run_is_reported(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    with livewatch.run("x", total=10, slug="x") as run:
        run.status("running")
        run.status("completed")
        run.advance()
    livewatch.flush()
    stream = reporting.state("/streams/x")
    assert (stream["status"], stream["completed"], stream["end"]) == ("in_progress", 1, {"status": "completed"})
    assert "'running'" in caplog.messages[0]
    assert "at_risk" in caplog.messages[0]


def test_blank_names_and_steps_lose_no_report(reporting: ApiServer) -> None:
    with livewatch.run("  ", slug="..", steps=["read", " ", ""], type=" ") as run:
        run.step("")
        run.step("read")
        with livewatch.agent("\n"):
            pass
    livewatch.alert(" ", signal="")
    livewatch.notify("", url="javascript:alert(1)")
    livewatch.flush()
    stream = reporting.only("streams")
    assert stream["name"] == "run"
    assert stream["slug"].strip("."), "a path resolves dots"
    scan = reporting.only("scans")
    assert (scan["steps"], scan["step"]) == (["read"], "read")
    assert reporting.only("agents")["agent_name"] == "run"
    assert [each.body["target_name"] for each in reporting.of("/alerts")] == ["Alert"]
    assert [each.body for each in reporting.of("/notifications")] == [{"title": "Notification", "type": "info"}]


def test_metadata_that_is_too_large_is_left_out(reporting: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    with livewatch.run("x", slug="x", metadata={"a": ["b" * 2_000] * 9}) as run:
        run.annotate({"a": 1})
        run.annotate({"a": ["b" * 2_000] * 10})
    livewatch.flush()
    assert reporting.state("/streams/x")["metadata"] == {"a": 1}
    assert len([each for each in caplog.messages if "metadata" in each]) == 2


def test_a_field_that_the_server_ignores_is_warned_of_once(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    ignored = [{"code": "invalid", "field": "total", "message": "total is -1: too small."}]
    carry_out = reporting._carry_out

    def ignore(*args: Any) -> dict[str, Any]:
        answer = carry_out(*args)
        return {**answer, "body": {**answer["body"], "ignored": ignored}}

    reporting._carry_out = ignore  # type: ignore[method-assign, assignment]
    for _ in range(3):
        livewatch.run("x").finish()
    livewatch.flush()
    warnings = [each for each in caplog.messages if "ignored a field" in each]
    assert len(warnings) == 1
    assert "total is -1: too small." in warnings[0]


def test_loops_that_are_tracked_one_after_the_other_add_up(reporting: ApiServer) -> None:
    with livewatch.run("Two", slug="two") as run:
        for count in (5, 7):
            for _ in run.track(range(count)):
                pass
    with livewatch.run("Given", slug="given", total=20) as run:
        for _ in run.track(range(5)):
            pass
    livewatch.flush()
    assert {name: reporting.state(f"/streams/{name}")["total"] for name in ("two", "given")} == {"two": 12, "given": 20}
    assert reporting.state("/streams/two")["completed"] == 12


@pytest.mark.parametrize(
    ("total", "done", "steps", "progress"), [(300, 200, ["read", "write"], None), (None, 0, ["read", "write"], 50.0)]
)
def test_a_run_that_ends_short_of_its_total_is_no_complete_scan(
    reporting: ApiServer, total: int | None, done: int, steps: list[str], progress: float | None
) -> None:
    with livewatch.run("Short", slug="short", total=total, steps=steps) as run:
        run.step("read")
        run.advance(done)
    livewatch.flush()
    scan = reporting.state("/scans/short")
    assert (scan["step"], scan.get("progress"), scan["end"]) == (
        "read",
        progress,
        {"status": "completed", "keep_progress": True},
    )
    assert scan.get("targets_analyzed", 0) == done


def test_names_that_differ_have_jobs_of_their_own() -> None:
    names = ["مهمة", "任务", "任務", "🚀", "🛰", "Müller", "Möller", "x" * 100 + "1", "x" * 100 + "2", "", "  "]
    slugs = [slug_of(name, unique=False) for name in names]
    assert len(set(slugs)) == len(names) - 1
    assert all(slug == checked_slug(slug) and len(slug) <= 120 for slug in slugs)
    assert slug_of("Nightly \u2013 Import!", unique=False) == "nightly-import"
    assert slug_of("Müller", unique=False) == slug_of("Müller", unique=False)


def test_a_slug_may_name_a_run_by_a_key() -> None:
    assert checked_slug("nightly@2026-11-26") == "nightly@2026-11-26"
    assert checked_slug("Nightly Import@run #7") == "nightly-import@run-7"
    assert checked_slug("nightly@") == "nightly@key"
    assert checked_slug("nightly@" + "k" * 64) == "nightly@" + "k" * 64
    keys = ["é" * 100, "é" * 101, "م", "ب", "k" * 100, "k" * 101, "", "2026-11-26T02:00:00+01:00"]
    slugs = [keyed_slug("nightly", key) for key in keys]
    assert len(set(slugs)) == len(keys)
    assert all(slug == checked_slug(slug) and len(slug) <= 72 for slug in slugs)
    assert re.fullmatch("nightly-import@[0-9a-f]{12}", slug_of("Nightly import"))
