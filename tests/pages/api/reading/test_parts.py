"""What belongs to runs: lines of logs, points of progress, comments."""

from typing import Any

import pytest

from tests.pages.api.reading.conftest import Reader
from tests.pages.program import refused
from tests.world import World

pytestmark = pytest.mark.integration
LOGS = ("/streams/import-0/logs", "/scans/scan-0/logs", "/agents/agent-0/logs")
HISTORIES = ("/streams/import-0/history", "/scans/scan-0/history")
COMMENTS = ("/streams/import-0/comments", "/scans/scan-0/comments", "/agents/agent-0/comments")


@pytest.mark.parametrize("path", [*LOGS, *HISTORIES, *COMMENTS])
async def test_pages_of_any_size_make_the_same_list_in_both_orders(ours: Reader, theirs: Reader, path: str) -> None:
    whole = await ours.items(path)
    assert len(whole) >= 2
    for limit in (1, 2, 3, len(whole)):
        assert await ours.items(path, limit=limit) == whole
        assert await ours.items(path, limit=limit, order="newest") == whole[::-1]
    assert not [item for item in await theirs.items(path) if item in whole]
    by_id = (await ours.get(path.rpartition("/")[0])).json()["id"]
    run, _, part = path[1:].rpartition("/")
    by_id = f"/{run.partition('/')[0]}/{by_id}/{part}"
    assert await ours.items(by_id) == whole
    refused(await theirs.get(by_id), 404, "not_found")


@pytest.mark.parametrize("path", LOGS)
async def test_lines_of_a_log_are_chosen_by_level_and_by_id(ours: Reader, path: str) -> None:
    lines = await ours.items(path)
    assert [line["message"] for line in lines] == [f"line {n}" for n in range(5)]
    assert [line["message"] for line in await ours.items(path, level="error,critical")] == ["line 3"]
    assert await ours.items(path, after=lines[2]["id"]) == lines[3:]
    assert await ours.items(path, after=str(2**63 - 1)) == []
    for after in ("-1", str(2**63), "1.0", "x"):
        refused(await ours.get(path, after=after), 422, "invalid", "after")
    assert await ours.items(path, since=lines[4]["at"]) == [line for line in lines if line["at"] >= lines[4]["at"]]
    assert await ours.items(path, until="2020-01-01") == []


async def test_progress_is_in_the_units_of_the_run(ours: Reader) -> None:
    points = await ours.items("/streams/import-0/history")
    assert [(point["completed"], point["total"]) for point in points[:4]] == [(1, 10), (2, 10), (3, 10), (4, 10)]
    assert points == sorted(points, key=lambda point: str(point["at"]))
    assert await ours.items("/streams/import-0/history", since=points[1]["at"], until=points[3]["at"]) == points[1:3]


@pytest.mark.parametrize("path", COMMENTS)
async def test_comments_have_their_authors_and_numbers(world: World, ours: Reader, path: str) -> None:
    first, second = await ours.items(path)
    assert (first["number"], first["kind"], first["body"]) == (1, "message", "Looks *slow*.")
    assert (second["number"], second["is_deleted"], second["reply_to"]) == (2, False, None)
    assert first["author"]
    assert set(first) == {
        *("id", "number", "kind", "author", "body", "reply_to", "created_at", "edited_at", "is_deleted")
    }


async def test_what_people_write_elsewhere_is_not_read(world: World, ours: Reader) -> None:
    """The key sees comments on runs, and neither the chat nor what is said about alerts."""
    program = ours.program
    alert = (await world.sql("select id from signal_alerts where org_id = %s limit 1", program.org))[0][0]
    async with world.database.as_user(program.admin.identity) as session:
        connection = await session.connection()
        for table, id in (("organizations", program.org), ("signal_alerts", alert)):
            await connection.exec_driver_sql(
                "select public.post_message(gen_random_uuid(), %s, %s, %s, 'secret')", (program.org, table, id)
            )
    assert await seen(world, ours, "select count(*) from messages where body = 'secret'") == 0
    assert await seen(world, ours, "select count(*) from messages") == 6
    assert await seen(world, ours, "select count(distinct org_id) from messages") == 1


async def test_a_deleted_comment_has_no_text(world: World, ours: Reader) -> None:
    id = (await ours.items("/agents/agent-0/comments"))[1]["id"]
    async with world.database.as_user(ours.program.admin.identity) as session:
        await (await session.connection()).exec_driver_sql("select public.delete_message(%s)", (id,))
    comment = (await ours.items("/agents/agent-0/comments"))[1]
    assert (comment["is_deleted"], comment["body"]) == (True, "")


async def seen(world: World, reader: Reader, query: str) -> Any:
    """Return what a query shows to the key under row-level security."""
    key = await world.sql("select id from ingest_keys where id = %s", reader.program.key)
    claims = {"role": "authenticated", "ingest_key": str(key[0][0])}

    class Claimed:
        name = "the key"

        def __init__(self) -> None:
            self.claims = claims

    return await world.database.call(Claimed(), query, {})
