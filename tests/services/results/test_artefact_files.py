"""Bytes of artefacts: the same of the data directory and of a bucket of Supabase Storage."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from pages.results.downloads.artefact_files import disposition
from services.results.artefact_files import ArtefactFiles, DirectoryFiles, FilesUnavailable, StorageFiles

BUCKET = "/storage/v1/object/livewatch"


class FakeStorage:
    """Answers as Storage does, of which it has the objects and the key that it accepts."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.headers["authorization"] != "Bearer secret":
            return httpx.Response(403, json={"message": "signature verification failed"})
        path = request.url.path
        if request.method == "POST":
            self.objects[path.removeprefix(f"{BUCKET}/")] = request.content
            return httpx.Response(200, json={"Key": path})
        if request.method == "DELETE":
            for name in json.loads(request.content)["prefixes"]:
                self.objects.pop(name, None)
            return httpx.Response(200, json=[])
        content = self.objects.get(path.removeprefix("/storage/v1/object/authenticated/livewatch/"))
        return (
            httpx.Response(400, json={"error": "not_found"})
            if content is None
            else httpx.Response(200, content=content)
        )


def storage(key: str = "secret") -> StorageFiles:
    return StorageFiles(url="http://project/", key=SecretStr(key), transport=httpx.MockTransport(FakeStorage()))


@pytest.fixture(params=["directory", "storage"])
async def files(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArtefactFiles]:
    files: ArtefactFiles = DirectoryFiles(tmp_path / "artefacts") if request.param == "directory" else storage()
    yield files
    await files.aclose()


async def test_bytes_are_those_of_their_organisation_and_blob(files: ArtefactFiles) -> None:
    ours, theirs, blob = uuid4(), uuid4(), uuid4()
    await files.put(ours, blob, b"\0\xff" * 1000)
    await files.put(theirs, blob, b"")
    assert await files.get(ours, blob) == b"\0\xff" * 1000
    assert await files.get(theirs, blob) == b""
    assert await files.get(ours, uuid4()) is None


async def test_bytes_are_replaced_and_removed_and_a_second_removal_changes_nothing(files: ArtefactFiles) -> None:
    org, first, second = uuid4(), uuid4(), uuid4()
    await files.put(org, first, b"old")
    await files.put(org, first, b"new")
    await files.put(org, second, b"other")
    assert await files.get(org, first) == b"new"
    for _ in range(2):
        await files.remove([(org, first)])
        assert await files.get(org, first) is None
    assert await files.get(org, second) == b"other"


async def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "artefacts").write_text("a file in the place of the directory")
    with pytest.raises(FilesUnavailable, match="data directory"):
        await DirectoryFiles(tmp_path / "artefacts").put(uuid4(), uuid4(), b"x")


async def test_a_key_that_storage_rejects_is_told_without_the_key() -> None:
    files = storage("a wrong key")
    with pytest.raises(FilesUnavailable, match="SUPABASE_SECRET_KEY") as refusal:
        await files.put(uuid4(), uuid4(), b"x")
    assert "a wrong key" not in str(refusal.value)
    await files.aclose()


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "artefact"),
        ("a\\b\\c.txt", "c.txt"),
        ('x"\r\nSet-Cookie: a=b', "x_Set-Cookie_ a_b"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe", "_gpj.exe"),
        ("x" * 300, "x" * 150),
    ],
)
def test_a_download_has_a_name_that_harms_no_one(name: str, plain: str) -> None:
    assert f'filename="{plain}"' in disposition("attachment", name)
