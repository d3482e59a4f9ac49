"""Artefacts through the API: what is stored, replaced and removed, who sees it, and what is refused."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from pages.api.errors import PREFIX
from services.ingest import ApiKeyVerifier, KeyScope
from services.results.artefact_files import DirectoryFiles, FilesUnavailable
from services.results.artefacts import artefact_use, artefacts_of, read_artefact, remove_blobs, store_artefact
from tests.pages.program import Program, a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40


async def send(  # noqa: PLR0917
    api: httpx.AsyncClient, program: Program, name: str, content: bytes, kind: str = "file", run: str = "streams/x"
) -> httpx.Response:
    return await api.post(
        f"{PREFIX}/artefacts",
        params={"run": run, "name": name, "kind": kind},
        content=content,
        headers={"Authorization": f"Bearer {program.token}"},
    )


async def a_run(program: Program, kind: str = "streams") -> UUID:
    return UUID((await program.put(f"/{kind}/x")).json()["id"])


def bytes_of(world: World, program: Program) -> list[Path]:
    return [path for path in (world.data / "artefacts" / str(program.org)).rglob("*") if path.is_file()]


@pytest.mark.parametrize("run_kind", ["streams", "scans", "agents"])
async def test_an_artefact_is_stored_under_its_run_and_read_by_members(
    program: Program, world: World, api: httpx.AsyncClient, run_kind: str
) -> None:
    run = await a_run(program, run_kind)
    for kind, content in (("image", PNG), ("markdown", b"# Hi"), ("table", b'{"columns":["a"],"rows":[[1]]}')):
        assert (await send(api, program, kind, content, kind, f"{run_kind}/x")).status_code == 201
    found = await artefacts_of(world.database, program.admin.identity, run)
    assert [(each.name, each.media_type) for each in found] == [
        ("image", "image/png"), ("markdown", "text/markdown"), ("table", "application/json")
    ]  # fmt: skip
    files = DirectoryFiles(world.data / "artefacts")
    read = await read_artefact(world.database, files, program.admin.identity, found[0].id)
    assert read is not None
    assert read.content == PNG
    used, quota = await artefact_use(world.database, program.admin.identity, program.org)
    assert (used, quota) == (sum(each.size for each in found), 5 * 2**30)


async def test_the_same_name_replaces_and_the_bytes_go_with_their_rows(
    program: Program, world: World, api: httpx.AsyncClient
) -> None:
    run, files = await a_run(program), DirectoryFiles(world.data / "artefacts")
    for content in (b"old", b"new"):
        assert (await send(api, program, "../../x", content)).status_code == 201
    while await remove_blobs(world.database, files):
        pass
    [found] = await artefacts_of(world.database, program.admin.identity, run)
    [file] = bytes_of(world, program)
    assert (found.name, file.read_bytes(), file.stat().st_mode & 0o777) == ("../../x", b"new", 0o600)
    assert (await program.send("DELETE", "/streams/x")).status_code == 200
    while await remove_blobs(world.database, files):
        pass
    assert bytes_of(world, program) == []


class Crashing(DirectoryFiles):
    """Ends after it has written, or removed, bytes."""

    async def put(self, org: UUID, blob: UUID, content: bytes) -> None:
        await super().put(org, blob, content)
        raise FilesUnavailable("The process ended.")

    async def remove(self, blobs: Any) -> None:
        await super().remove(blobs)
        raise FilesUnavailable("The process ended.")


async def test_a_crash_between_bytes_and_row_leaves_neither(program: Program, world: World) -> None:
    run, directory = await a_run(program), world.data / "artefacts"
    identity, files = program.admin.identity, DirectoryFiles(directory)

    key = await ApiKeyVerifier(world.database).verify(program.token)
    with pytest.raises(FilesUnavailable):
        await store_artefact(
            world.database, Crashing(directory), key, program.org, run="streams/x", name="a", kind="file", content=b"x"
        )
    assert await artefacts_of(world.database, identity, run) == []
    assert len(bytes_of(world, program)) == 1
    await world.sql("update private.blob_removals set due_at = now() where org_id = %s", program.org)
    with pytest.raises(FilesUnavailable):
        await remove_blobs(world.database, Crashing(directory))
    assert await world.sql("select blob from private.blob_removals where org_id = %s", program.org)
    while await remove_blobs(world.database, files):
        pass
    assert bytes_of(world, program) == []
    assert not await world.sql("select blob from private.blob_removals where org_id = %s", program.org)


async def test_another_organisation_neither_sees_nor_changes_it(
    program: Program, world: World, api: httpx.AsyncClient
) -> None:
    run, files = await a_run(program), DirectoryFiles(world.data / "artefacts")
    await send(api, program, "a", b"ours")
    [found] = await artefacts_of(world.database, program.admin.identity, run)
    stranger = await world.person(await world.organization())
    assert await artefacts_of(world.database, stranger.identity, run) == []
    assert await read_artefact(world.database, files, stranger.identity, found.id) is None
    assert (await artefact_use(world.database, stranger.identity, program.org))[0] == 0
    other = await a_program(world, api)
    assert (await send(api, other, "a", b"theirs")).status_code == 404
    assert (await send(api, other, "a", b"theirs", run=f"streams/x@{run}")).status_code == 404
    read = await read_artefact(world.database, files, program.admin.identity, found.id)
    assert read is not None
    assert read.content == b"ours"


@pytest.mark.parametrize(
    ("kind", "content", "said"),
    [
        ("image", b"<svg onload=alert(1)>", "no PNG, JPEG, GIF or WebP"),
        ("image", PNG[1:], "no PNG, JPEG, GIF or WebP"),
        ("table", b"[1", "The table is not JSON"),
        ("table", b"[" * 100_000, "The table is not JSON"),
        ("table", b'{"columns": [], "rows": [1]}', "A table is an object"),
        ("table", json.dumps({"columns": ["a"], "rows": [[1] * 5] * 25_000}).encode(), "the maximum is 100,000"),
        ("markdown", b"\xff\xfe", "The text is not UTF-8"),
        ("markdown", b"x" * 200_001, "the maximum is 200,000"),
        ("svg", b"x", "kind"),
    ],
)
async def test_contents_that_are_not_what_they_claim_are_refused_with_a_sentence(  # noqa: PLR0917
    program: Program, world: World, api: httpx.AsyncClient, kind: str, content: bytes, said: str
) -> None:
    run = await a_run(program)
    answer = await send(api, program, "a", content, kind)
    assert answer.status_code == 422, answer.text
    assert said in answer.json()["error"]["message"]
    assert await artefacts_of(world.database, program.admin.identity, run) == []
    assert bytes_of(world, program) == []


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x1bb", "a\0b"])
async def test_bad_names_are_refused_with_a_sentence(program: Program, api: httpx.AsyncClient, name: str) -> None:
    await a_run(program)
    answer = await send(api, program, name, b"x")
    assert answer.status_code == 422
    assert "name" in answer.json()["error"]["message"]


async def test_a_body_over_the_limit_is_refused_unread(program: Program, api: httpx.AsyncClient) -> None:
    await a_run(program)
    message = refused(await send(api, program, "a", bytes(20 * 2**20 + 1)), 413, "too_large")
    assert "larger than 20 MiB" in message


async def test_an_organisation_has_a_quota_of_its_own(program: Program, world: World, api: httpx.AsyncClient) -> None:
    run = await a_run(program)
    await world.sql(
        "insert into artefacts (org_id, run_id, run_kind, name, kind, media_type, size, sha256, blob) "
        "values (%s, %s, 'streams', 'huge', 'file', 'x', 5368709120, repeat('0', 64), gen_random_uuid())",
        program.org, run,
    )  # fmt: skip
    message = refused(await send(api, program, "a", b"x"), 422, "invalid", "name")
    assert "delete runs with large artefacts" in message
    other = await a_program(world, api)
    await a_run(other)
    assert (await send(api, other, "a", b"fits")).status_code == 201


async def test_a_key_without_the_scope_of_runs_may_not_store(world: World, api: httpx.AsyncClient) -> None:
    reader = await a_program(world, api, scopes=(KeyScope.READ,))
    refused(await send(api, reader, "a", b"x"), 403, "scope")
