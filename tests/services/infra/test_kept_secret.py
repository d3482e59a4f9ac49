"""Secrets of the data directory: made once, whole, and for their owner alone."""

from pathlib import Path

import pytest

from services.errors import ConfigurationError
from services.infra.kept_secret import kept_secret


def test_the_cookie_secret_is_made_once_and_is_for_the_owner_alone(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "data" / "cookie_secret")
    assert kept_secret(tmp_path / "data" / "cookie_secret") == first
    assert len(first.get_secret_value()) >= 48
    assert (tmp_path / "data" / "cookie_secret").stat().st_mode & 0o777 == 0o600
    assert first.get_secret_value() not in repr(first)
    assert [each.name for each in (tmp_path / "data").iterdir()] == ["cookie_secret"]


def test_an_empty_file_is_filled_and_what_makes_the_secret_is_given(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(" \n")
    assert kept_secret(tmp_path / "key", lambda: "made").get_secret_value() == "made"
    assert kept_secret(tmp_path / "key", lambda: "another").get_secret_value() == "made"


def test_of_two_that_start_at_a_time_both_have_the_secret_of_the_first(tmp_path: Path) -> None:
    def slowly() -> str:
        (tmp_path / "key").write_text("first")
        return "second"

    assert kept_secret(tmp_path / "key", slowly).get_secret_value() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


def test_a_directory_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    with pytest.raises(ConfigurationError, match="LIVEWATCH_DATA"):
        kept_secret(tmp_path / "data" / "key")
