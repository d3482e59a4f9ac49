"""The app's log contains no secrets, regardless of the logger and the position in the event."""

import json
import logging
from collections.abc import Iterator

import jwt
import pytest
import structlog

from services.infra.logging import REDACTED, configure
from services.ingest.keys import new_key
from services.settings import LogFormat

TOKEN = jwt.encode({"sub": "ada"}, "a secret of the tests, long enough", "HS256")
KEY = new_key().token.get_secret_value()
URL = "postgresql://livewatch_app:hush@db.example.org:5432/postgres"


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_has_a_time_a_level_and_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON)
    structlog.get_logger().info("feed lost", topic="org:1", attempt=2)
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["topic"], line["attempt"]) == ("feed lost", "info", "org:1", 2)
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("name", ["password", "access_token", "anon_key", "Authorization", "cookie", "DATABASE_URL"])
def test_a_field_whose_name_is_that_of_a_secret_is_hidden(capsys: pytest.CaptureFixture[str], name: str) -> None:
    configure(LogFormat.JSON)
    structlog.get_logger().info("signed in", **{name: "hush", "details": {name: "hush"}})
    [line] = lines(capsys)
    assert line[name] == REDACTED
    assert "hush" not in str(line)


SECRETS = {
    "token": TOKEN,
    "ingest key": KEY,
    "platform key": "sb_secret_0123456789abcdef",
    "url": URL,
    "query": "/x?a=1&access_token=hush",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(capsys: pytest.CaptureFixture[str], secret: str) -> None:
    configure(LogFormat.JSON)
    log = structlog.get_logger()
    log.info(f"sent {secret} there", where=["x", secret], deep={"a": {"b": secret}}, thing=RuntimeError(secret))
    logging.getLogger("a.library").warning("refused: %s", secret)
    try:
        raise ValueError(f"bad: {secret}")
    except ValueError:
        log.exception("failed")
        logging.getLogger("a.library").exception("failed too")
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 4
    assert "ValueError: bad: " in told
    for part in ("hush", TOKEN, KEY, "0123456789abcdef"):
        assert part not in told


def test_addresses_and_ids_are_no_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.JSON)
    text = "http://127.0.0.1:8080/streams/0b3e7b0e-6a51-4a57-9d0f-3f2ad5ba6dd2?selected=1 and live_watch_key"
    structlog.get_logger().info(text)
    assert lines(capsys)[0]["event"] == text


def test_on_a_terminal_requests_are_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    configure(LogFormat.CONSOLE)
    structlog.get_logger().info("request", path="/")
    structlog.get_logger().info("feed lost")
    told = capsys.readouterr().err
    assert "feed lost" in told
    assert "request" not in told
