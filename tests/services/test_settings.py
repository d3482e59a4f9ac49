"""Settings from the environment."""

from pathlib import Path

import pytest

from services.errors import ConfigurationError
from services.settings import read_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LIVEWATCH_HOST", "LIVEWATCH_PORT", "LIVEWATCH_DATA", "LIVEWATCH_DEMO_SCAN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("SUPABASE_URL", "SUPABASE_ANON_KEY", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_nothing_set_means_the_local_supabase_on_loopback() -> None:
    settings = read_settings()
    assert settings.is_embedded
    assert (settings.host, settings.port, settings.data) == ("127.0.0.1", 8080, Path(".livewatch"))
    assert settings.demo_scan
    assert settings.proxies == []


def test_a_dotenv_file_is_honoured_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("LIVEWATCH_PORT=9000\nLIVEWATCH_DEMO_SCAN=0\n")
    monkeypatch.setenv("LIVEWATCH_PORT", "9001")
    settings = read_settings()
    assert (settings.port, settings.demo_scan) == (9001, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIVEWATCH_PORT", "eighty"),
        ("LIVEWATCH_PORT", "70000"),
        ("LIVEWATCH_TRUSTED_PROXIES", "10.0.0.0/8, proxy"),
        ("LIVEWATCH_COOKIE_SECRET", "short"),
        ("LIVEWATCH_LOG", "loud"),
        ("LIVEWATCH_SIGN_UP", "sometimes"),
        ("LIVEWATCH_PUBLIC_URL", "watch.example.org"),
        ("LIVEWATCH_SMTP_URL", "mail.example.org:587"),
    ],
)
def test_a_bad_value_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=name):
        read_settings()


def test_a_wrong_mail_server_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEWATCH_SMTP_URL", "smtp://user:s3cr3t@mail.example.org:mail?from=a@example.org")
    with pytest.raises(ConfigurationError, match=r"LIVEWATCH_SMTP_URL.* the port is a number") as refusal:
        read_settings()
    assert "s3cr3t" not in str(refusal.value)


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEWATCH_TRUSTED_PROXIES", "10.0.0.0/8, ::1,")
    assert read_settings().proxies == ["10.0.0.0/8", "::1"]


def test_half_a_supabase_project_is_refused_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://example.supabase.co")
    monkeypatch.setenv("SUPABASE_ANON_KEY", "sb_publishable_secret")
    with pytest.raises(ConfigurationError, match="DATABASE_URL must be set too") as refusal:
        read_settings()
    assert "sb_publishable_secret" not in str(refusal.value)


def test_no_secret_shows_in_the_representation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPABASE_URL", "https://example.supabase.co")
    monkeypatch.setenv("SUPABASE_ANON_KEY", "anon-key")
    monkeypatch.setenv("DATABASE_URL", "postgresql://livewatch_app:hunter2@db/postgres")
    assert "hunter2" not in repr(read_settings())
    assert "anon-key" not in repr(read_settings())
