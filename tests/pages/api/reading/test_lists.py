"""Lists and rows of every entity: what they have, pages, ETags, and nothing of another organisation."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from pages.api.errors import PREFIX
from services.ingest import KeyScope
from services.ingest.administration import revoke_key
from tests.pages.api.reading.conftest import RESOURCES, RUNS, Reader
from tests.pages.program import a_program, refused
from tests.world import World

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("name", RESOURCES)
async def test_a_list_has_all_rows_of_the_organisation_and_of_no_other(ours: Reader, theirs: Reader, name: str) -> None:
    mine, other = await ours.items(f"/{name}"), await theirs.items(f"/{name}")
    assert len(mine) >= 3
    assert {row["id"] for row in mine}.isdisjoint(row["id"] for row in other)
    times = [row["created_at"] for row in mine]
    assert times == sorted(times, reverse=True)
    assert all(each.endswith("Z") for each in times)


@pytest.mark.parametrize("name", RESOURCES)
async def test_pages_of_any_size_make_the_same_list(ours: Reader, name: str) -> None:
    whole = await ours.items(f"/{name}", limit=500)
    for limit in (1, 2, len(whole)):
        assert await ours.items(f"/{name}", limit=limit) == whole
    first = await ours.get(f"/{name}", limit=1)
    link = first.headers["link"]
    assert link.startswith("<http://app.test/api/v1/")
    assert link.endswith('>; rel="next"')
    second = await ours.get(link[1:].partition(">")[0].removeprefix("http://app.test/api/v1"))
    assert second.json()["items"] == whole[1:2]
    assert "link" not in (await ours.get(f"/{name}", limit=500)).headers


@pytest.mark.parametrize("name", RESOURCES)
async def test_a_row_is_got_by_its_id_and_by_its_slug(ours: Reader, theirs: Reader, name: str) -> None:
    row = (await ours.items(f"/{name}"))[0]
    got = await ours.get(f"/{name}/{row['id']}")
    assert got.status_code == 200
    # Alone it has more than in a list.
    differing = {key for key in row if row[key] != got.json()[key]}
    assert differing <= {"attempts", "bars", "target_metrics", "metadata", "steps"}
    if name in RUNS:
        assert (await ours.get(f"/{name}/{row['slug']}")).json() == got.json()
        refused(await ours.get(f"/{name}/no-such-run"), 404, "not_found")
    refused(await theirs.get(f"/{name}/{row['id']}"), 404, "not_found")
    refused(await ours.get(f"/{name}/{UUID(int=0)}"), 404, "not_found")


@pytest.mark.parametrize("path", [f"/{name}" for name in RESOURCES] + ["/streams/import-0", "/streams/import-0/logs"])
async def test_what_did_not_change_is_not_sent_again(ours: Reader, theirs: Reader, path: str) -> None:
    got = await ours.get(path)
    tag = got.headers["etag"]
    assert got.headers["cache-control"] == "private, no-cache"
    for condition in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await ours.get(path, {"If-None-Match": condition})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await ours.get(path, {"If-None-Match": '"other"'})).content == got.content
    assert (await theirs.get(path, {"If-None-Match": tag})).status_code == 200, "another organisation's tag"
    head = await ours.program.send("HEAD", path)
    assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", tag)
    assert int(head.headers["content-length"]) == len(got.content)
    refused(await ours.program.send("PATCH", path), 405, "wrong_method")


async def test_a_change_has_another_tag(world: World, ours: Reader) -> None:
    tag = (await ours.get("/streams/import-2")).headers["etag"]
    await ours.program.put("/streams/import-2", completed=7)
    got = await ours.get("/streams/import-2", {"If-None-Match": tag})
    assert (got.status_code, got.json()["completed"], got.json()["percent"]) == (200, 7, 70.0)


async def test_a_run_that_a_person_made_is_read_too(world: World, ours: Reader) -> None:
    ((id,),) = await world.sql(
        "insert into streams (org_id, name) values (%s, 'Quarterly goals') returning id", ours.program.org
    )
    row = (await ours.get(f"/streams/{id}")).json()
    assert (row["name"], row["slug"], row["url"]) == ("Quarterly goals", None, f"/streams/{id}")
    assert str(id) in {each["id"] for each in await ours.items("/streams")}
    await world.sql("delete from streams where id = %s", id)


async def test_a_slug_that_is_another_runs_id_means_the_slug(world: World, ours: Reader) -> None:
    other = (await ours.get("/streams/import-0")).json()["id"]
    await ours.program.put(f"/streams/{other}", name="Named like an id")
    assert (await ours.get(f"/streams/{other}")).json()["name"] == "Named like an id"
    await world.sql("delete from streams where slug = %s", other)


@pytest.mark.parametrize("name", RESOURCES)
async def test_who_may_not_read_is_told_why(
    world: World, served_api: httpx.AsyncClient, ours: Reader, name: str
) -> None:
    for scopes in ((KeyScope.RUNS, KeyScope.ALERTS, KeyScope.NOTIFICATIONS), (KeyScope.COMMANDS,)):
        program = await a_program(world, served_api, scopes=scopes)
        assert "'read'" in refused(await program.send("GET", f"/{name}"), 403, "scope")
        refused(await program.send("GET", f"/{name}/{UUID(int=1)}"), 403, "scope")
    refused(await served_api.get(f"{PREFIX}/{name}", headers={"Authorization": "Bearer lw_nothing"}), 401, "bad_key")


async def test_a_revoked_key_reads_nothing_at_once(world: World, served_api: httpx.AsyncClient) -> None:
    """Neither an empty list nor a missing row, while the key is still in the process's memory."""
    program = await a_program(world, served_api, scopes=(KeyScope.READ,))
    assert (await program.send("GET", "/streams")).json() == {"items": [], "next": None}
    await revoke_key(world.database, program.admin.identity, program.key)
    for path in ("/streams", "/streams/import-0", "/streams/import-0/logs", "/alerts"):
        refused(await program.send("GET", path), 401, "bad_key")


async def test_a_key_that_only_reads_writes_nothing(world: World, served_api: httpx.AsyncClient) -> None:
    program = await a_program(world, served_api, scopes=(KeyScope.READ,))
    refused(await program.put("/streams/import", completed=1), 403, "scope")
    refused(await program.send("DELETE", "/streams/import"), 403, "scope")


async def test_rows_that_come_change_and_go_between_pages_leave_the_others_whole(
    world: World, served_api: httpx.AsyncClient
) -> None:
    program = await a_program(world, served_api, scopes=(KeyScope.RUNS, KeyScope.READ))
    reader = Reader(program)
    # Equal times, so that the order is that of the ids.
    await world.sql(
        "insert into streams (org_id, name, slug, created_at) "
        "select %s, 'S', 's-' || n, now() - interval '1 hour' from generate_series(1, 40) as n",
        program.org,
    )
    for sort in ("newest", "updated"):
        rows = await reader.items("/streams", limit=500, sort=sort)
        seen: list[dict[str, Any]] = []
        cursor, moved = None, set()
        for n in range(100):
            page = (await reader.get("/streams", limit=3, sort=sort, cursor=cursor)).json()
            seen += page["items"]
            if (cursor := page["next"]) is None:
                break
            touched = rows[(n * 17) % 40], rows[(n * 11 + 5) % 40]
            moved |= {each["id"] for each in touched}
            await world.sql("update streams set completed = completed + 1 where id = %s", touched[0]["id"])
            await world.sql("delete from streams where id = %s", touched[1]["id"])
            await world.sql(
                "insert into streams (org_id, name, slug) values (%s, 'new', %s)", program.org, f"{sort}-{n}"
            )
        ids = [each["id"] for each in seen]
        assert len(ids) == len(set(ids)), "nothing twice"
        assert {each["id"] for each in rows} - moved <= set(ids), "nothing that stood still is left out"
        await world.sql("delete from streams where org_id = %s", program.org)
        await world.sql(
            "insert into streams (org_id, name, slug) select %s, 'S', 's-' || n from generate_series(1, 40) as n",
            program.org,
        )


async def test_a_row_that_the_models_do_not_know_is_left_out(world: World, ours: Reader) -> None:
    id = UUID(int=77)
    before = await ours.items("/streams")
    statement = "insert into streams (id, org_id, name, slug, goal_status) values (%s, %s, 'odd', 'odd', 'imaginary')"
    async with world.odd_row("streams", "streams_goal_status_check", statement, id, ours.program.org):
        assert [row["id"] for row in await ours.items("/streams")] == [row["id"] for row in before]
    late = "insert into streams (org_id, name, slug, created_at) values (%s, 'late', 'late', %s)"
    for at in ("infinity", "12026-01-01"):
        await world.sql(late, ours.program.org, at)
        assert [row["id"] for row in await ours.items("/streams", limit=1)] == [row["id"] for row in before]
        await world.sql("delete from streams where slug = 'late'")
