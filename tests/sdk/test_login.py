"""`livewatch login`, `whoami` and `logout`: what a person sees, what is stored, and that the key stays secret."""

import base64
import hashlib
import io
import os
import re
import signal
import subprocess
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import segno
from livewatch.cli import login as login_module
from livewatch.cli.browser import open_page
from livewatch.cli.exit_codes import ExitCode
from livewatch.cli.login import (
    KeyRequest,
    LoginError,
    can_open_browser,
    default_name,
    qr_code_printer,
    wait_until_allowed,
    with_scheme,
)
from livewatch.config_file import Login, read_login, write_login
from livewatch.delivery.client import Response, UnreachableError

from tests.clock import Clock
from tests.sdk.api_server import KEY, ApiServer
from tests.sdk.conftest import Start
from tests.speed import deadline, wait_until

URL = "https://livewatch.example.org"
UNKNOWN = Response(401, {"error": {"code": "bad_key", "message": "The key is unknown or revoked."}})
ALLOWED = Response(200, {"organization": {"name": "Ada's"}, "key": {"name": "laptop"}})
AWAY = UnreachableError("cannot reach https://livewatch.example.org: connection refused")
posix = pytest.mark.skipif(os.name != "posix", reason="file modes and signals")


class Answers:
    """Gives the answers in turn; the last one again and again."""

    def __init__(self, *answers: Response | UnreachableError) -> None:
        self._answers = list(answers)
        self.count = 0

    def request(self, method: str, path: str) -> Response:
        assert (method, path) == ("GET", "/me")
        self.count += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, UnreachableError):
            raise answer
        return answer


def waited(*answers: Response | UnreachableError) -> tuple[str, list[float]]:
    """Return the organisation and the pauses."""
    clock, pauses = Clock(), list[float]()

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        clock.now += seconds

    request = KeyRequest.create(URL, "laptop")
    asker = Answers(*answers)
    return wait_until_allowed(request, asker, opens_browser=False, clock=clock, sleep=sleep), pauses


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config" / "livewatch" / "config.toml"


@pytest.fixture
def begin(start: Start, path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Start `livewatch WORDS` without the variables, for a file of this test."""
    unset = {"LIVEWATCH_URL": "", "LIVEWATCH_KEY": "", "LIVEWATCH_CONFIG": str(path)}
    return lambda *words, **variables: start("-m", "livewatch", *words, **{**unset, **variables})


def said(process: "subprocess.Popen[str]", *secrets: str) -> tuple[int, str, str]:
    output, errors = process.communicate(timeout=deadline(20))
    for secret in (KEY, *secrets):
        assert secret not in output + errors
    return process.returncode, output, errors


def test_the_address_has_the_hash_and_the_code_is_of_the_hash() -> None:
    request = KeyRequest.create("https://host/watch", "Ada's laptop & more\udcff")
    _, public_id, secret = request.token.split("_", 2)
    assert re.fullmatch("[0-9a-f]{12}", public_id)
    assert len(secret) >= 43
    digest = hashlib.sha256(secret.encode())
    address = urlsplit(request.address)
    assert (address.netloc, address.path) == ("host", "/watch/connect/allow")
    assert parse_qs(address.query) == {
        "id": [public_id],
        "hash": [digest.hexdigest()],
        "name": ["Ada's laptop & more?"],
    }
    assert request.code.replace("-", "") == base64.b32encode(digest.digest()).decode()[:8]
    assert re.fullmatch("[A-Z2-7]{4}-[A-Z2-7]{4}", request.code)
    assert secret not in request.address + repr(request)
    assert KeyRequest.create(URL, "x").token != KeyRequest.create(URL, "x").token


def test_a_key_is_awaited_every_two_seconds_whatever_the_network_does(capsys: pytest.CaptureFixture[str]) -> None:
    busy = Response(429, None, retry_after=7.0)
    organization, pauses = waited(AWAY, AWAY, UNKNOWN, Response(502, None), busy, UNKNOWN, ALLOWED)
    assert (organization, pauses) == ("Ada's", [2, 2, 2, 2, 7, 2])
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("Code: ") == 1
    assert errors.count("connection refused. Trying on; Ctrl-C stops.") == 1


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (UNKNOWN, "nobody allowed the key within 10 minutes. Run the command again"),
        (AWAY, "nobody allowed the key within 10 minutes. cannot reach https://livewatch.example.org"),
    ],
)
def test_nobody_who_allows_it_ends_the_wait_after_ten_minutes(
    answer: Response | UnreachableError, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LoginError, match=sentence) as raised:
        waited(answer)
    assert raised.value.exit_code is ExitCode.REJECTED


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Response(404, None), "is not a Livewatch API"),
        (Response(200, {"hello": "world"}), "is not a Livewatch API"),
        (Response(200, {"organization": "?"}), "is not a Livewatch API"),
        (Response(308, None, location="https://other"), "redirects to https://other: use that URL"),
        (Response(401, None), "answered with status 401"),
        (Response(401, {"error": {"message": "Basic authentication required"}}), "Basic authentication required"),
        (Response(403, {"error": {"code": "scope", "message": "This key was refused."}}), "This key was refused"),
    ],
)
def test_another_server_or_a_refusal_ends_the_wait_before_the_address_is_shown(
    answer: Response, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(LoginError, match=sentence) as raised:
        waited(answer)
    assert raised.value.exit_code is ExitCode.REJECTED
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("livewatch.example.org", "https://livewatch.example.org"),
        (" host:8443/watch ", "https://host:8443/watch"),
        ("localhost:8080", "http://localhost:8080"),
        ("app.localhost", "http://app.localhost"),
        ("127.0.0.1:8080/watch", "http://127.0.0.1:8080/watch"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("10.0.0.1", "https://10.0.0.1"),
        ("http://host", "http://host"),
        ("localhost.example.org", "https://localhost.example.org"),
    ],
)
def test_a_url_without_a_scheme_is_https_and_http_on_this_machine(written: str, url: str) -> None:
    assert with_scheme(written) == url


def test_a_browser_opens_only_where_the_person_sits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert not can_open_browser({})
    assert can_open_browser({"DISPLAY": ":0"})
    assert can_open_browser({"WAYLAND_DISPLAY": "wayland-0"})
    assert not can_open_browser({"DISPLAY": ":10", "SSH_CONNECTION": "1.2.3.4"})
    monkeypatch.setattr("sys.platform", "darwin")
    assert can_open_browser({})
    assert not can_open_browser({"SSH_TTY": "/dev/pts/0"})


def test_the_browser_is_given_the_address_unless_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    class Browser:
        def __init__(self) -> None:
            self.opened: list[str] = []

        def open(self, address: str) -> None:
            self.opened.append(address)
            raise webbrowser.Error("it crashed")

    browser = Browser()
    monkeypatch.setattr(webbrowser, "get", lambda: browser)
    monkeypatch.setattr(login_module, "can_open_browser", lambda: True)
    request = KeyRequest.create(URL, "laptop")
    for opens_browser in (False, True):
        wait_until_allowed(request, Answers(UNKNOWN, ALLOWED), opens_browser=opens_browser, sleep=lambda _: None)
    wait_until(lambda: browser.opened == [request.address], what="the browser has the address")
    text = webbrowser.GenericBrowser("w3m")
    monkeypatch.setattr(text, "open", browser.open)
    monkeypatch.setattr(webbrowser, "get", lambda: text)
    monkeypatch.delenv("BROWSER", raising=False)
    open_page("x")
    assert len(browser.opened) == 1


def test_the_address_is_a_qr_code_for_a_phone(capsys: pytest.CaptureFixture[str]) -> None:
    request = KeyRequest.create(URL, "laptop")
    asker, clock = Answers(UNKNOWN, ALLOWED), Clock()
    wait_until_allowed(
        request, asker, opens_browser=False, show_qr_code=qr_code_printer(), clock=clock, sleep=lambda _: None
    )
    shown = capsys.readouterr().err
    drawn = io.StringIO()
    segno.make(request.address, micro=False, error="l").terminal(out=drawn, compact=True)
    assert shown.endswith(drawn.getvalue())
    assert request.secret not in shown


def test_without_its_package_a_qr_code_is_refused_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segno", None)
    with pytest.raises(LoginError, match=r"pip install 'livewatch\[qr\]'") as refused:
        qr_code_printer()
    assert refused.value.exit_code is ExitCode.MISCONFIGURED


def test_a_name_is_user_and_host_as_far_as_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 1000")

    monkeypatch.setattr("platform.node", lambda: "h" * 200)
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    assert default_name() == "ada@" + "h" * 116
    monkeypatch.setattr("getpass.getuser", unknown)
    monkeypatch.setattr("platform.node", lambda: "")
    assert default_name() == "livewatch"


@posix
def test_a_login_is_stored_once_an_admin_allows_it_and_the_key_is_never_shown(
    server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"], path: Path
) -> None:
    asked: list[str] = []

    def accepts(token: str) -> bool:
        asked.append(token)
        return len(asked) > 2

    server.accepts = accepts
    code, output, errors = said(begin("login", server.url.removeprefix("http://"), "--name", "laptop", "--no-browser"))
    assert (code, output) == (0, f"Logged in to Ada's at {server.url}.\n"), errors
    (token,) = set(asked)
    assert len(asked) == 3
    assert token.split("_", 2)[2] not in output + errors
    address = errors.splitlines()[-1]
    query = parse_qs(urlsplit(address).query)
    assert address.startswith(f"{server.url}/connect/allow?id=")
    assert query["name"] == ["laptop"]
    assert query["hash"] == [hashlib.sha256(token.split("_", 2)[2].encode()).hexdigest()]
    assert f"Code: {base64.b32encode(bytes.fromhex(query['hash'][0])).decode()[:4]}-" in errors
    assert read_login(path) == Login(server.url, token, "Ada's")
    assert path.stat().st_mode & 0o777 == 0o600
    code, output, errors = said(begin("whoami"), token)
    assert (code, errors) == (0, "")
    assert output == f"Organisation: Ada's\nKey: ada@laptop\nURL: {server.url}\nSettings: {path}\n"
    code, output, errors = said(begin("logout"), token)
    assert (code, errors) == (0, "")
    assert output == (
        f"Logged out of {server.url}. The key {token.split('_')[1]} stays valid until an admin revokes it under "
        "Settings.\n"
    )
    assert not path.exists()
    assert said(begin("logout")) == (0, "", f"livewatch: not logged in: there is no {path}.\n")


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_login_that_is_ended_leaves_nothing_behind(
    number: signal.Signals, server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    before = set(tmp_path.iterdir())
    process = begin("login", server.url, "--no-browser")
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Code: ")
    process.send_signal(number)
    code, output, errors = said(process)
    assert code == (ExitCode.INTERRUPTED if number is signal.SIGINT else -number)
    assert (output, "Traceback" in errors) == ("", False)
    assert set(tmp_path.iterdir()) == before


def test_a_login_that_cannot_begin_says_why(server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"]) -> None:
    for words, variables, code, sentence in (
        (["login", f"{server.url}/elsewhere"], {}, 1, "is not a Livewatch API"),
        (["login", "ftp://x"], {}, 2, "The URL is not a valid URL"),
        (["login", "http://[::1"], {}, 2, "The URL is not a valid URL"),
        (["login", "https://ada:secret@x"], {}, 2, "The URL is not a valid URL"),
        (["login", server.url, "--name", " "], {}, 2, "the name '' is not of 1 to 120 characters"),
        (["login", server.url, "--name", "x" * 121], {}, 2, "is not of 1 to 120 characters"),
        (["login", server.url], {"LIVEWATCH_CONFIG": "off"}, 2, "set LIVEWATCH_CONFIG to one"),
    ):
        answer, output, errors = said(begin(*words, **variables))
        assert (answer, output) == (code, ""), errors
        assert sentence in errors
        assert len(errors.splitlines()) == 1
        assert "secret" not in errors


def test_a_login_that_the_environment_overrides_is_said(
    server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"]
) -> None:
    server.accepts = lambda token: True
    variables = {"LIVEWATCH_URL": server.url, "LIVEWATCH_KEY": KEY}
    code, _, errors = said(begin("login", server.url, "--no-browser", **variables))
    assert (code, errors) == (
        0,
        "livewatch: LIVEWATCH_URL and LIVEWATCH_KEY override this login: unset both to use it.\n",
    )
    code, output, _ = said(begin("whoami", **variables))
    assert output.endswith("Settings: LIVEWATCH_URL and LIVEWATCH_KEY\n")
    code, _, errors = said(begin("logout", **variables))
    assert (code, errors) == (0, "livewatch: LIVEWATCH_URL and LIVEWATCH_KEY stay set and in use.\n")


def test_whoami_says_why_there_is_no_login(
    server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"], path: Path
) -> None:
    assert said(begin("whoami")) == (
        1,
        "",
        "livewatch: not logged in: run `livewatch login URL`, or set LIVEWATCH_URL and LIVEWATCH_KEY.\n",
    )
    revoked = "lw_0123456789ab_revokedrevokedrevoked"
    write_login(path, Login(server.url, revoked))
    assert said(begin("whoami"), revoked) == (
        1,
        "",
        f"livewatch: The key is unknown or revoked. The settings are from {path}.\n",
    )
    write_login(path, Login("http://127.0.0.1:9", revoked))
    assert said(begin("whoami"), revoked)[0] == 3
    path.write_text(f"{revoked}\n")
    code, _, errors = said(begin("whoami"), revoked)
    assert (code, errors.count(str(path))) == (2, 1)
    assert said(begin("logout"), revoked)[:2] == (
        0,
        "Logged out. The key itself stays valid until an admin revokes it under Settings.\n",
    )


def test_an_organisation_that_the_terminal_cannot_show_ends_nothing(
    server: ApiServer, begin: Callable[..., "subprocess.Popen[str]"], path: Path
) -> None:
    server.accepts = lambda token: True
    server.organization = "株式会社"
    code, output, errors = said(begin("login", server.url, PYTHONIOENCODING="ascii"))
    assert (code, errors) == (0, "")
    assert output.startswith("Logged in to \\u682a")
