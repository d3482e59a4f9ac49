"""Delivery end to end: exactly once, in order and coalesced under faults, without leaking the key."""

import logging
import re
import threading
import time
from typing import Any

import livewatch
import pytest
from livewatch.delivery.client import Client
from livewatch.delivery.disk_queue import DiskQueue
from livewatch.delivery.operations import Operation, encode, new_idempotency_key
from livewatch.reporting.process import PROCESS
from livewatch.reporting.reporter import Reporter
from livewatch.settings import SettingsError, read_settings

from tests.sdk.api_server import KEY, ApiServer, Fault, serving
from tests.speed import deadline, wait_until


def told(server: ApiServer) -> list[str]:
    return [each.body["target_name"] for each in server.of("/alerts")]


@pytest.mark.parametrize(
    "faults",
    [
        # A connection that was in use before is tried anew at once: only the second cut is felt.
        [Fault.CUT_BEFORE, Fault.CUT_BEFORE],
        [Fault.CUT_AFTER, Fault.CUT_AFTER],
        [Fault.BROKEN],
        [Fault.AWAY],
    ],
    ids=lambda faults: faults[0].name,
)
def test_after_a_fault_the_same_is_sent_again_and_carried_out_once(reporting: ApiServer, faults: list[Fault]) -> None:
    livewatch.alert("before")
    assert livewatch.flush()
    reporting.requests.clear()
    reporting.faults = list(faults)
    for n in range(20):
        livewatch.alert(f"{n}")
    wait_until(livewatch.flush)
    assert told(reporting) == ["before", *(f"{n}" for n in range(20))]
    keys = [[each["idempotency_key"] for each in request["operations"]] for request in reporting.requests]
    assert len(keys) == len(faults) + 1
    assert all(each == keys[0] for each in keys), "the key of an update is made when the update is made"


def test_a_server_that_asks_for_a_pause_gets_it(reporting: ApiServer) -> None:
    reporting.faults = [Fault.RATE]
    livewatch.alert("x")
    began = time.monotonic()
    wait_until(livewatch.flush)
    assert time.monotonic() - began >= 0.95
    assert len(reporting.requests) == 2
    assert told(reporting) == ["x"]


def test_a_server_that_hangs_holds_up_neither_the_job_nor_its_end(reporting: ApiServer) -> None:
    reporting.faults = [Fault.HANG]
    began = time.monotonic()
    for n in range(1_000):
        livewatch.alert(f"{n}")
    with livewatch.run("x") as run:
        run.advance()
    assert time.monotonic() - began < deadline(0.3)
    assert not livewatch.flush(0.3)
    PROCESS.close(0.3)
    assert time.monotonic() - began < deadline(1.5)


def test_updates_wait_for_a_server_that_is_away(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(ApiServer()) as server:
        port = int(server.url.rpartition(":")[2])
    for name, value in {**environment, "LIVEWATCH_URL": server.url}.items():
        monkeypatch.setenv(name, value)
    for n in range(30):
        livewatch.alert(f"{n}")
    assert not livewatch.flush()
    with serving(server, port=port):
        wait_until(lambda: len(told(server)) == 30)
        assert told(server) == [f"{n}" for n in range(30)]
        PROCESS.close()


def test_a_run_is_told_of_twice_a_second_at_most_with_its_newest_values(reporting: ApiServer) -> None:
    began = time.monotonic()
    with livewatch.run("Fast", total=10**9, slug="fast") as run:
        while time.monotonic() - began < 1.6:
            run.advance()
            run.describe(time.monotonic())
        counted = run._counts.done
    livewatch.flush()
    most = 2 * (time.monotonic() - began) + 2
    updates = [each for each in reporting.of("/streams/fast") if each.method == "PUT"]
    assert 3 <= len(updates) <= most, "the first, two a second, and the last"
    assert reporting.state("/streams/fast")["completed"] == counted


def test_a_run_that_lasts_sends_heartbeats_from_its_beginning_until_its_end(reporting: ApiServer) -> None:
    settings = read_settings()
    assert settings is not None
    reporter = Reporter(settings, tick_seconds=0.05, heartbeat_seconds=0.2)
    PROCESS._reporter = reporter
    began = time.monotonic()
    with livewatch.run("Long", slug="long"):
        wait_until(lambda: len(reporting.beats) >= 4)
        assert time.monotonic() - began >= 3 * 0.2, "the first at once, then one in each interval"
    livewatch.flush()
    count = len(reporting.beats)
    time.sleep(0.5)
    assert len(reporting.beats) == count
    assert all(runs == ["streams/long"] for _, runs in reporting.beats)


def test_an_update_that_is_refused_holds_up_no_other(reporting: ApiServer, caplog: pytest.LogCaptureFixture) -> None:
    reporting.refuse = lambda path, body: 422 if body.get("target_name") == "bad" else None
    for name in ("first", "bad", "last"):
        livewatch.alert(name)
    assert livewatch.flush()
    assert told(reporting) == ["first", "last"]
    assert "rejected /alerts: it is refused" in caplog.text


def test_an_update_that_breaks_the_server_is_given_up_and_holds_up_no_other(reporting: ApiServer) -> None:
    reporting.refuse = lambda path, body: 500 if body.get("target_name") == "bad" else None
    for name in ("first", "bad", "last"):
        livewatch.alert(name)
    livewatch.flush()
    assert told(reporting) == ["first", "last"]
    wait_until(lambda: len(reporting.requests) == 3)
    assert livewatch.flush()
    assert told(reporting) == ["first", "last"]


def test_a_batch_that_is_refused_as_such_is_taken_apart(reporting: ApiServer) -> None:
    def refuse(operations: list[dict[str, Any]]) -> int | None:
        return 400 if any(each["body"].get("target_name") == "bad" for each in operations) else None

    reporting.refuse_batch = refuse
    names = [f"{n}" for n in range(13)]
    for name in [*names[:7], "bad", *names[7:]]:
        livewatch.alert(name)
    assert livewatch.flush()
    assert told(reporting) == names


def test_an_old_value_never_overtakes_a_newer_one(reporting: ApiServer) -> None:
    """If the server fails an update and accepts the next of the same run, the first must not be retried."""
    settings = read_settings()
    assert settings is not None
    queue = DiskQueue(settings.queue_file, settings.destination)
    path = "/streams/r"
    queue.append(
        [Operation("PUT", path, encode({"completed": n}), new_idempotency_key(), coalescable=True) for n in (1, 2, 3)]
        + [Operation("POST", f"{path}/finish", "{}", new_idempotency_key())]
    )
    queue.close()
    reporting.refuse = lambda _, body: 503 if body.get("completed") == 2 else None
    livewatch.alert("go")
    livewatch.flush()
    reporting.refuse = lambda _, __: None
    wait_until(lambda: not queue.pending_count())
    queue.close()
    assert [each.body.get("completed") for each in reporting.of(path)] == [1, 3]


def test_a_key_that_is_refused_is_complained_of_once_and_the_updates_are_kept(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    reporting.key = "another"
    for n in range(3):
        livewatch.alert(f"{n}")
        assert not livewatch.flush()
    assert caplog.text.count("rejected LIVEWATCH_KEY") == 1
    reporting.key = KEY
    assert livewatch.flush()
    assert told(reporting) == ["0", "1", "2"]


def test_the_key_is_in_no_log_repr_exception_nor_in_what_is_sent(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture, environment: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with livewatch.run("env", metadata=environment) as run:
        run.log(f"LIVEWATCH_KEY={KEY}")
        run.fail(RuntimeError(f"key {KEY}"))
    livewatch.flush()
    reporting.key = "another"
    livewatch.alert("x")
    livewatch.flush()
    settings = read_settings()
    assert settings is not None
    seen = [caplog.text, repr(settings), str(settings), f"{settings.key}", repr(Client(settings).__dict__)]
    assert "[key]" in str(reporting.requests)
    assert KEY not in "".join([*seen, str(reporting.requests)])
    assert settings.queue_file is not None
    assert KEY.encode() not in settings.queue_file.read_bytes()
    for broken in (f"{KEY}\r\nX: y", f" {KEY} x", "sk-123"):
        with pytest.raises(SettingsError) as raised:
            read_settings({"LIVEWATCH_URL": "http://x", "LIVEWATCH_KEY": broken})
        assert broken.strip() not in str(raised.value)


@pytest.mark.parametrize(
    ("environment", "advice"),
    [
        ({"LIVEWATCH_URL": "http://x"}, "LIVEWATCH_KEY is not"),
        ({"LIVEWATCH_KEY": KEY}, "LIVEWATCH_URL is not"),
        ({"LIVEWATCH_URL": "x:8080", "LIVEWATCH_KEY": KEY}, "not a valid URL"),
        ({"LIVEWATCH_URL": "http://u:p@x", "LIVEWATCH_KEY": KEY}, "not a valid URL"),
        ({"LIVEWATCH_URL": "http://x:99999", "LIVEWATCH_KEY": KEY}, "not a valid URL"),
    ],
)
def test_settings_of_no_use_are_complained_of_once_and_raise_nothing(
    environment: dict[str, str],
    advice: str,
    off: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(PROCESS, "_has_warned", False)
    for _ in range(3):
        with livewatch.run("x") as run:
            run.advance()
    assert len(caplog.records) == 1
    assert advice in caplog.text


@pytest.mark.parametrize("url", ["http://h:1", "http://h:1/", "http://h:1/api/v1", "http://h:1/api/v1/"])
def test_the_address_may_be_written_as_people_write_it(url: str) -> None:
    settings = read_settings({"LIVEWATCH_URL": url, "LIVEWATCH_KEY": KEY})
    assert settings is not None
    assert settings.url == "http://h:1"


def test_threads_lose_no_step(reporting: ApiServer) -> None:
    def work(run: livewatch.Run) -> None:
        for _ in range(20_000):
            run.advance()

    with livewatch.run("Threads", slug="t") as run:
        threads = [threading.Thread(target=work, args=(run,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    livewatch.flush()
    assert reporting.state("/streams/t")["completed"] == 160_000


def test_keys_are_what_the_contract_takes() -> None:
    assert len({new_idempotency_key() for _ in range(100)}) == 100
    assert re.fullmatch(r"[a-z0-9]{32}", new_idempotency_key())
