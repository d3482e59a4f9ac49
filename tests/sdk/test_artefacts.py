"""Artefacts as programs make them and as the server receives them."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import livewatch
import pytest
from livewatch.delivery.artefacts.content import MAX_MARKDOWN_BYTES

from tests.sdk.api_server import ApiServer
from tests.speed import deadline

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


def received(server: ApiServer) -> dict[str, tuple[str, bytes]]:
    """Return kind and bytes by name, as the server has them."""
    return {write.body["name"]: (write.body["kind"], write.body["content"]) for write in server.of("/artefacts")}


def test_each_kind_of_artefact_arrives_before_the_end_of_its_run(reporting: ApiServer, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"\0\1")
    (tmp_path / "a.png").write_bytes(PNG)
    figure = SimpleNamespace(savefig=lambda file, format: file.write(PNG + format.encode()))
    picture = SimpleNamespace(save=lambda file, format: file.write(PNG + format.encode()))
    with livewatch.run("Training", slug="t") as run:
        run.table("scores", [{"name": "a", "score": float("nan")}, {"score": 2}])
        run.image("path", tmp_path / "a.png")
        run.image("figure", figure)
        run.image("picture", picture)
        run.file(tmp_path / "a.bin")
        run.markdown("notes", "# Hello")
    assert livewatch.flush()
    table = {"columns": ["name", "score"], "rows": [["a", "NaN"], [None, 2]]}
    found = received(reporting)
    assert json.loads(found.pop("scores")[1]) == table
    assert found == {
        "path": ("image", PNG),
        "figure": ("image", PNG + b"png"),
        "picture": ("image", PNG + b"png"),
        "a.bin": ("file", b"\0\1"),
        "notes": ("markdown", b"# Hello"),
    }
    assert [write.path for write in reporting.writes][-2:] == ["/artefacts", "/streams/t/finish"]


def test_a_server_without_room_for_it_holds_up_no_report_and_gets_it_later(reporting: ApiServer) -> None:
    reporting.refuse = lambda path, body: 503 if path == "/artefacts" else None
    with livewatch.run("Training", slug="t") as run:
        run.markdown("a", "old")
        run.markdown("a", "new")
    assert not livewatch.flush(timeout=deadline(2))
    assert reporting.writes[-1].path == "/streams/t/finish"
    reporting.refuse = lambda path, body: None
    assert livewatch.flush()
    assert received(reporting) == {"a": ("markdown", b"new")}


def test_what_the_server_rejects_is_dropped_with_its_reason(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    reporting.refuse = lambda path, body: 422 if path == "/artefacts" else None
    with livewatch.run("Training", slug="t") as run:
        run.markdown("notes", "x")
    assert livewatch.flush()
    assert "rejected the artefact 'notes': it is refused" in caplog.text


def ten_million_cells() -> Any:
    for n in range(1_000_000):
        assert n < 100_000, "it reads on although the limit is exceeded"
        yield [n] * 10


@pytest.mark.parametrize(
    ("send", "said"),
    [
        (lambda run, _: run.table("t", ten_million_cells()), "more than 100,000 cells"),
        (lambda run, _: run.image("i", b"<svg onload=alert(1)>"), "no PNG, JPEG, GIF or WebP"),
        (lambda run, path: run.file(path), "no regular file"),
        (lambda run, path: run.file(path / "missing"), "cannot be read: No such file"),
        (lambda run, path: run.file(path / "a\0b"), "is no path"),
        (lambda run, _: run.file(7.5), "is no path"),
        (lambda run, _: run.markdown("m", "x" * (MAX_MARKDOWN_BYTES + 1)), "the maximum is 200,000"),
        (lambda run, _: run.table("t", 5), "TypeError"),
    ],
)
def test_what_cannot_be_sent_is_left_out_with_a_sentence(
    reporting: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture, send: Callable[..., None], said: str
) -> None:
    with livewatch.run("Training", slug="t") as run:
        send(run, tmp_path)
    assert livewatch.flush()
    assert received(reporting) == {}
    assert said in caplog.text


def test_a_file_over_the_limit_is_not_even_read(
    reporting: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(100 * 2**30)
    with livewatch.run("Training", slug="t") as run:
        run.file(tmp_path / "huge")
    assert "107,374,182,400 bytes" in caplog.text


def test_names_are_made_fit_and_are_no_paths(reporting: ApiServer) -> None:
    names = ["../../etc/passwd", "..", "a\0b", "x" * 300, "\N{HEBREW LETTER ALEF}" * 3]
    with livewatch.run("Training", slug="t") as run:
        for name in names:
            run.markdown(name, name)
    assert livewatch.flush()
    found = list(received(reporting))
    assert found[0] == "../../etc/passwd"
    assert found[1:3] == ["artefact", "ab"]
    assert len(found[3]) == 200
    assert found[4] == "\N{HEBREW LETTER ALEF}" * 3


def test_more_than_memory_has_room_for_is_left_out_and_the_run_is_reported(
    reporting: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    reporting.refuse = lambda path, body: 503 if path == "/artefacts" else None
    with livewatch.run("Training", slug="t") as run:
        for n in range(6):
            run.image(f"i{n}", PNG + bytes(19 * 2**20))
    livewatch.flush(timeout=deadline(2))
    assert "artefacts of 100 MiB wait to be sent" in caplog.text
    assert reporting.writes[-1].path == "/streams/t/finish"
