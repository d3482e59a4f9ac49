"""The reading client against servers that are slow, away, of another kind, or strange."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from livewatch.api import ApiError, Client, NotConfiguredError, RejectedError, ServerUnreachableError
from livewatch.cli.command import main
from livewatch.settings import IngestKey, Settings

from tests.sdk.api_server import KEY, ApiServer, Fault, serving

ROW = {"id": "i", "slug": "s", "name": "N", "created_at": "2026-01-01T00:00:00Z", "url": "/streams/i"}


def client_of(url: str, slept: list[float] | None = None) -> Client:
    settings = Settings(url=url, key=IngestKey(KEY), queue_file=None)
    return Client(settings, sleep=(slept if slept is not None else []).append)


def test_a_server_that_asks_for_patience_is_asked_again(server: ApiServer) -> None:
    slept: list[float] = []
    server.lists["/streams"] = [ROW]
    server.faults += [Fault.RATE, Fault.AWAY, Fault.BROKEN]
    with client_of(server.url, slept) as client:
        assert [stream.name for stream in client.streams.list()] == ["N"]
        assert slept == [1.0, 1.0, 2.0], "as the server asks, and then longer each time"
        server.faults += [Fault.AWAY] * 4
        with pytest.raises(ServerUnreachableError, match=r"^away\. Try again in a moment\.$"):
            list(client.streams.list())
    assert len(slept) == 6


def test_a_server_that_is_not_there_is_named_without_the_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(ApiServer()) as gone:
        url = gone.url
    with client_of(url) as client, pytest.raises(ServerUnreachableError, match="connection refused; check") as error:
        client.streams.get("s")
    assert KEY not in str(error.value) + repr(client)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("livewatch.api.requests.ATTEMPTS", 1)
    for name, value in {"LIVEWATCH_URL": url, "LIVEWATCH_KEY": KEY, "LIVEWATCH_SPOOL": "off"}.items():
        monkeypatch.setenv(name, value)
    assert main(["ls"]) == 3
    assert "connection refused" in capsys.readouterr().err


def test_what_is_no_livewatch_is_said_so(server: ApiServer) -> None:
    with client_of(f"{server.url}/elsewhere") as client, pytest.raises(RejectedError, match="is not a Livewatch API"):
        client.streams.get("s")
    server.key = "lw_another"
    with client_of(server.url) as client, pytest.raises(RejectedError, match="unknown or revoked") as error:
        list(client.alerts.list())
    assert (error.value.status, error.value.code) == (401, "bad_key")


@pytest.mark.parametrize(
    "answer",
    [
        {"items": None, "next": None},
        {"items": [None, 7, "x", []], "next": 5},
        {"items": [{}], "next": None},
        {"items": [{"created_at": "yesterday", "status": 7, "more": {}}], "next": None},
        {},
    ],
    ids=json.dumps,
)
def test_strange_answers_break_nothing(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: Mapping[str, Any]
) -> None:
    monkeypatch.setattr(server, "ask", lambda *_: (200, dict(answer)))
    for name, value in {"LIVEWATCH_URL": server.url, "LIVEWATCH_KEY": KEY, "LIVEWATCH_SPOOL": "off"}.items():
        monkeypatch.setenv(name, value)
    for what in ("streams", "scans", "agents", "alerts", "notifications", "activities"):
        for more in ([], ["--json"]):
            assert main(["ls", what, *more]) == 0
    for command in (["show", "s"], ["logs", "s"], ["open", "s", "--no-browser"]):
        assert main(command) == 1
    assert "sent no Stream: it is an older version, or no Livewatch" in capsys.readouterr().err


def test_a_cursor_that_does_not_move_ends_the_list(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "ask", lambda *_: (200, {"items": [ROW], "next": "same"}))
    with client_of(server.url) as client:
        assert len(list(client.streams.list())) == 2
        assert len(list(client.streams.list(limit=1))) == 1


def test_filters_are_sent_as_the_server_reads_them(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def ask(method: str, path: str, _: object) -> tuple[int, dict[str, Any]]:
        asked.append(path)
        return 200, {"items": [], "next": None}

    monkeypatch.setattr(server, "ask", ask)
    with client_of(server.url) as client:
        list(client.streams.list(status=["a", "b"], search="x & y=é", finished=True, tag="t", archived=None, limit=7))
        list(client.agents.logs("job@a b/c", after=5))
    assert asked[0].startswith("/streams?status=a%2Cb&q=x+%26+y%3D%C3%A9&tag=t&show=current%2Carchived&finished=true&")
    assert asked[0].endswith("&limit=7")
    assert asked[1].startswith("/agents/job%40a%20b%2Fc/logs?after=5&order=oldest&limit=")


def test_missing_settings_are_an_error_of_the_client(off: None) -> None:
    with pytest.raises(NotConfiguredError, match="run `livewatch login URL`") as error:
        Client()
    assert isinstance(error.value, ApiError)
