"""The file of `livewatch login`: what is written, who may read it, and which settings win."""

import os
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from livewatch import config_file
from livewatch.config_file import ConfigFileError, Login, config_path, parse_strings, read_login, write_login
from livewatch.settings import Settings, SettingsError, read_settings, require_settings

from tests.sdk.api_server import KEY, ApiServer
from tests.sdk.conftest import Start
from tests.speed import deadline

URL = "https://livewatch.example.org/watch"
OTHER_KEY = "lw_another_key_of_nobody"
posix = pytest.mark.skipif(os.name != "posix", reason="file modes")


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    config_file._warn_of_mode.cache_clear()
    yield tmp_path / "home" / "livewatch" / "config.toml"
    config_file._warn_of_mode.cache_clear()


def settings_of(path: Path, **variables: str) -> Settings | None:
    return read_settings({"LIVEWATCH_CONFIG": str(path), **variables})


def reason(path: Path, **variables: str) -> str:
    with pytest.raises(SettingsError) as raised:
        settings_of(path, **variables)
    assert KEY not in str(raised.value)
    return str(raised.value)


def write_text(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)


@pytest.mark.parametrize(
    "name",
    [
        "Ada's",
        "",
        'a"b\\c = "d" # e',
        "Ångström 株式会社 🚀",
        "עברית",
        "line\nbreak\ttab",
        "\x7f\x1b[31mred",
        "\ud800\u202e",
    ],
)
def test_what_is_written_is_read_again_with_and_without_the_parser_of_python(path: Path, name: str) -> None:
    login = Login(URL, KEY, name)
    write_login(path, login)
    stored = read_login(path)
    assert stored is not None
    assert (stored.url, stored.key) == (URL, KEY)
    text = path.read_text(encoding="utf-8")
    assert tomllib.loads(text) == parse_strings(text) == {"url": URL, "key": KEY, "organization": stored.organization}
    assert stored.organization.isprintable()
    if name.isprintable():
        assert stored.organization == name
    assert KEY not in repr(stored)


@posix
def test_the_file_is_for_its_owner_alone_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        write_login(path, Login(URL, KEY))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    path.chmod(0o644)
    write_login(path, Login(URL, OTHER_KEY))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_nothing_else(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_login(path, Login(URL, KEY))

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConfigFileError, match=r"config\.toml cannot be written: No space left.*LIVEWATCH_CONFIG"):
        write_login(path, Login(URL, OTHER_KEY))
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]
    assert read_login(path) == Login(URL, KEY)


@posix
def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "dotfiles.toml")
    write_login(path, Login(URL, KEY))
    assert path.is_symlink()
    assert read_login(path) == Login(URL, KEY)


@posix
def test_a_file_that_others_can_read_works_with_one_warning(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_login(path, Login(URL, KEY))
    assert settings_of(path) is not None
    assert caplog.records == []
    path.chmod(0o640)
    for _ in range(3):
        assert settings_of(path) is not None
    (record,) = caplog.records
    assert record.getMessage() == (
        f"Livewatch: other users can read the ingest key in {path} (mode 0640): run `chmod 600 {path}`."
    )


def test_the_environment_wins_and_a_key_goes_to_its_own_server_only(path: Path) -> None:
    write_login(path, Login(URL, KEY))
    stored = settings_of(path)
    assert stored is not None
    assert (stored.url, stored.key.reveal(), stored.source) == (URL, KEY, str(path))
    given = settings_of(path, LIVEWATCH_URL="http://x", LIVEWATCH_KEY=OTHER_KEY)
    assert given is not None
    assert (given.url, given.key.reveal(), given.source) == ("http://x", OTHER_KEY, "LIVEWATCH_URL and LIVEWATCH_KEY")
    same = settings_of(path, LIVEWATCH_URL=f"{URL}/api/v1/")
    assert same is not None
    assert (same.url, same.key.reveal(), same.source) == (URL, KEY, f"LIVEWATCH_URL and {path}")
    assert reason(path, LIVEWATCH_URL="http://x") == (
        "LIVEWATCH_KEY is not set: run `livewatch login http://x`, or set it; an admin creates a key under Settings. "
        f"The stored one is of {URL}."
    )
    assert "LIVEWATCH_URL is not set" in reason(path, LIVEWATCH_KEY=OTHER_KEY)
    path.write_text("broken")
    assert settings_of(path, LIVEWATCH_URL="http://x", LIVEWATCH_KEY=OTHER_KEY) is not None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "url",
        f'url = "{URL}"',
        f'key = "{KEY}"\nkey = "{KEY}"\nurl = "{URL}"',
        f"url = {URL}\nkey = {KEY}",
        f'url = "{URL}"\nkey = ["{KEY}"]',
        f'url = "{URL}"\nkey = 5',
        f'url = "{URL}"\nkey = "{KEY}\n"',
        f'url = "ftp://x"\nkey = "{KEY}"',
        f'url = "{URL}"\nkey = "sk-123"',
        b"\xff\xfe\x00",
        "x" * 70_000,
    ],
)
@pytest.mark.parametrize("has_tomllib", [True, False])
def test_a_broken_file_is_named_with_the_next_step(
    path: Path, content: str | bytes, has_tomllib: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_tomllib:
        monkeypatch.setattr(config_file, "parse", parse_strings)
    write_text(path, content)
    sentence = reason(path)
    assert str(path) in sentence
    assert "`livewatch login`" in sentence


@pytest.mark.parametrize("has_tomllib", [True, False])
def test_what_an_editor_does_to_the_file_is_read(
    path: Path, has_tomllib: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_tomllib:
        monkeypatch.setattr(config_file, "parse", parse_strings)
    write_text(path, f'\ufeff# mine\r\n\r\n  key="{KEY}"  # laptop\r\nurl = "{URL}"\r\n')
    stored = settings_of(path)
    assert stored is not None
    assert (stored.url, stored.key.reveal()) == (URL, KEY)


def test_a_folder_in_place_of_the_file_is_said_and_a_missing_one_is_no_login(path: Path) -> None:
    assert settings_of(path) is None
    assert settings_of(path / "below" / "a" / "file") is None
    path.mkdir(parents=True)
    assert str(path) in reason(path)
    assert settings_of(Path("off")) is None
    with pytest.raises(SettingsError, match="run `livewatch login URL`"):
        require_settings({"LIVEWATCH_CONFIG": "off"})


@posix
def test_the_file_is_where_the_platform_keeps_such_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert config_path({"XDG_CONFIG_HOME": "/c"}) == Path("/c/livewatch/config.toml")
    assert config_path({}) == Path.home() / ".config/livewatch/config.toml"
    assert config_path({"LIVEWATCH_CONFIG": "~/lw.toml"}) == Path.home() / "lw.toml"
    monkeypatch.setattr("sys.platform", "win32")
    assert config_path({"APPDATA": "/roaming"}) == Path("/roaming/livewatch/config.toml")


def test_a_program_reports_with_the_login_and_warns_of_a_broken_one_once(
    path: Path, server: ApiServer, start: Start
) -> None:
    code = "import livewatch\nfor _ in range(3): livewatch.notify('x')"
    unset = {"LIVEWATCH_URL": "", "LIVEWATCH_KEY": "", "LIVEWATCH_CONFIG": str(path)}
    write_login(path, Login(server.url, KEY, "Ada's"))
    process = start(code, **unset)
    assert process.communicate(timeout=deadline(20)) == ("", "")
    assert len(server.of("/notifications")) == 3
    path.write_text(f"key = {KEY}")
    _, errors = start(code, **unset).communicate(timeout=deadline(20))
    assert errors.splitlines() == [
        f"Reporting to Livewatch is disabled. {path} is not a valid configuration: run `livewatch login` to write it "
        "anew."
    ]
