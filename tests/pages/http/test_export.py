"""CSV exports: filtered, ordered, safe to open, and only for members."""

import csv
import io
import json
from uuid import uuid4

import httpx
import pytest

from components.elements.lists.live_list import MAX_CHOSEN
from pages.http.export import MatchingRows, csv_parts
from services.entities import AGENTS, ENTITIES, STREAMS
from services.errors import PermissionDenied
from services.lists.stored import StoredRows
from tests.pages.http.conftest import enter
from tests.world import World

pytestmark = pytest.mark.integration


async def rows(http: httpx.AsyncClient, address: str) -> list[dict[str, str]]:
    answer = await http.get(address)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))


async def test_without_a_session_there_is_no_file(http: httpx.AsyncClient) -> None:
    answer = await http.get("/export/streams.csv")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/sign-in")


async def test_a_file_has_what_the_list_shows_in_its_order(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        """insert into streams (org_id, name, goal_status, completed, total)
           values (%s, 'Beta run', 'blocked', 1, 10), (%s, 'Alpha run', 'blocked', 2, 10),
                  (%s, 'Other', 'on_track', 3, 10)""",
        org, org, org,
    )  # fmt: skip
    await enter(http, ada)
    found = await rows(http, "/export/streams.csv?q=run&status=blocked&sort=name")
    assert [row["name"] for row in found] == ["Alpha run", "Beta run"]
    assert found[0]["completed"] == "2"
    assert found[0]["goal_status"] == "blocked"
    assert len(await rows(http, "/export/streams.csv")) == 3
    assert len(await rows(http, "/export/streams.csv?status=nonsense&sort=nonsense")) == 3


async def test_a_file_has_every_row_that_the_filter_means(http: httpx.AsyncClient, world: World) -> None:
    """A feed holds 2,000 runs; the file is of the list, not of the feed."""
    org = await world.organization()
    ada = await world.person(org)
    count = AGENTS.limit + 730
    await world.sql("insert into streams (org_id, name) values (%s, 'of the agents')", org)
    await world.sql(
        """insert into agent_executions (org_id, stream_id, agent_id, agent_name, status, created_at, archived_at)
           select org_id, id, 'a', 'Agent ' || n, case when n %% 2 = 0 then 'failed' else 'completed' end,
                  now() - make_interval(secs => n / 3), case when n %% 10 = 0 then now() end
           from streams, generate_series(1, %s) as n where org_id = %s""",
        count, org,
    )  # fmt: skip
    await enter(http, ada)
    found = await rows(http, "/export/agent_executions.csv")
    assert len({row["id"] for row in found}) == len(found) == count - count // 10
    assert [row["created_at"] for row in found] == sorted((row["created_at"] for row in found), reverse=True)
    assert len(await rows(http, "/export/agent_executions.csv?show=archived")) == count // 10
    failed = await rows(http, "/export/agent_executions.csv?status=failed&q=agent&sort=newest")
    assert len(failed) == count // 2 - count // 10
    assert {row["status"] for row in failed} == {"failed"}


async def test_a_file_that_cannot_be_completed_is_not_passed_off_as_complete(
    http: httpx.AsyncClient, world: World
) -> None:
    """A member who is removed in between gets an aborted download."""
    org = await world.organization()
    ada = await world.person(org)
    await world.sql("insert into streams (org_id, name) select %s, 'n' from generate_series(1, 1200)", org)
    pages = MatchingRows(StoredRows(world.database, ada, STREAMS, org), {})
    await pages.begin()
    parts = csv_parts(STREAMS, pages)
    assert (await anext(parts)).startswith("\ufeffslug,")
    assert (await anext(parts)).count("\n") == 1000
    await world.sql("delete from org_members where org_id = %s", org)
    with pytest.raises(PermissionDenied, match="no access"):
        await anext(parts)


async def test_a_cell_is_never_a_formula(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    names = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\n=1", "\nx", " =1", "\uff1d1+1", "\uff20A1", "\uff0b1"]
    names.append('plain, with "quotes"\nand lines')
    for name in names:
        await world.sql("insert into streams (org_id, name) values (%s, %s)", org, name)
    await enter(http, ada)
    found = {row["name"] for row in await rows(http, "/export/streams.csv")}
    assert found == {f"'{name}" if name != names[-1] else name for name in names}


async def test_structured_values_are_json(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    steps = ["lesen", "prüfen", None, {"name": "it's", "ok": True}]
    await world.sql("insert into acquisition_scans (org_id, name, steps) values (%s, 's', %s)", org, json.dumps(steps))
    await enter(http, ada)
    [found] = await rows(http, "/export/acquisition_scans.csv")
    assert json.loads(found["steps"]) == steps
    assert "prüfen" in found["steps"]


async def test_nothing_of_another_organisation_or_person_is_in_a_file(http: httpx.AsyncClient, world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    eve, member, colleague = await world.person(ours), await world.person(theirs), await world.person(ours)
    await world.sql("insert into streams (org_id, name) values (%s, 'secret')", theirs)
    await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
        "values (%s, %s, 'secret', 'x', 90), (%s, %s, 'secret', 'x', 90)",
        ours, colleague.id, theirs, member.id,
    )  # fmt: skip
    await world.sql(
        "insert into notifications (org_id, user_id, type, title, message) values (%s, %s, 'info', 'secret', 'x')",
        ours, colleague.id,
    )  # fmt: skip
    await enter(http, eve)
    for entity in ENTITIES:
        assert "secret" not in (await http.get(f"/export/{entity.table}.csv")).text
    assert (await http.get(f"/export/streams.csv?org={theirs}")).status_code == 403
    assert (await http.get("/export/streams.csv?org=nonsense")).status_code == 403


async def test_a_person_of_two_organisations_gets_the_one_that_they_ask_for(
    http: httpx.AsyncClient, world: World
) -> None:
    first, second = await world.organization("A"), await world.organization("B")
    ada = await world.person(first, second)
    for org, name in ((first, "of first"), (second, "of second")):
        await world.sql("insert into streams (org_id, name) values (%s, %s)", org, name)
    await enter(http, ada)
    for org, name in ((first, "of first"), (second, "of second")):
        assert [row["name"] for row in await rows(http, f"/export/streams.csv?org={org}")] == [name]


@pytest.mark.parametrize("name", ["nothing", "profiles", "org_members", "streams.csv"])
async def test_what_is_no_list_is_refused_with_the_names_of_those_that_are(
    http: httpx.AsyncClient, world: World, name: str
) -> None:
    await enter(http, await world.person(await world.organization()))
    answer = await http.get(f"/export/{name}.csv")
    assert answer.status_code == 404
    assert "streams" in answer.text


async def test_what_is_addressed_to_the_person_comes_too(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    await world.sql(
        "insert into notifications (org_id, user_id, type, title, message) "
        "values (%s, %s, 'info', 'read', 'x'), (%s, %s, 'error', 'unread', 'x')",
        org, ada.id, org, ada.id,
    )  # fmt: skip
    await world.sql("update notifications set read_at = now() where title = 'read' and user_id = %s", ada.id)
    await enter(http, ada)
    found = await rows(http, "/export/notifications.csv?show=unread")
    assert [row["title"] for row in found] == ["unread"]


async def test_a_selection_is_exactly_the_chosen_rows_in_their_order(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    made = await world.sql(
        """insert into streams (org_id, name, tags, target_metrics)
           select %s, 's' || n, array['t' || n], jsonb_build_object('n', n)
           from generate_series(1, 1200) as n returning id, name, tags, target_metrics""",
        org,
    )
    chosen = [made[n] for n in range(1199, 0, -2)]
    body = "\n".join(str(row[0]) for row in [*chosen, chosen[0]])
    await enter(http, ada)
    answer = await http.post("/export/streams.json", content=body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-disposition"].endswith('.json"')
    found = answer.json()
    assert [(row["id"], row["name"], row["tags"], row["target_metrics"]) for row in found] == [
        (str(id), name, tags, metrics) for id, name, tags, metrics in chosen
    ]
    answer = await http.post("/export/streams.csv", content=body)
    table = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert [row["name"] for row in table] == [row[1] for row in chosen]
    assert list(table[0]) == list(found[0]), "both files have the same columns"
    noted = await world.sql(
        "select after from audit_events where org_id = %s and action = 'list.exported' order by id", org
    )
    assert [row[0]["chosen"] for row in noted] == [600, 600]
    assert noted[0][0]["format"] == "json"


async def test_a_selection_has_no_row_of_another_organisation_or_person(http: httpx.AsyncClient, world: World) -> None:
    ours, theirs = await world.organization(), await world.organization()
    ada, eve, colleague = await world.person(ours), await world.person(theirs), await world.person(ours)
    [[stream]] = await world.sql("insert into streams (org_id, name) values (%s, 'secret') returning id", ours)
    [[alert]] = await world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength) "
        "values (%s, %s, 'secret', 'x', 90) returning id",
        ours, ada.id,
    )  # fmt: skip
    for person, table, id in (
        (eve, "streams", stream),
        (eve, "signal_alerts", alert),
        (colleague, "signal_alerts", alert),
    ):
        await enter(http, person)
        for kind in ("csv", "json"):
            answer = await http.post(f"/export/{table}.{kind}", content=str(id))
            assert answer.status_code == 200
            assert "secret" not in answer.text
    await enter(http, eve)
    assert (await http.post(f"/export/streams.csv?org={ours}", content=str(stream))).status_code == 403


async def test_a_selection_that_is_none_is_refused_with_what_to_do(http: httpx.AsyncClient, world: World) -> None:
    await enter(http, await world.person(await world.organization()))
    for body, sentence in (
        ("", "0 rows are chosen"),
        ("nonsense", "“nonsense” is not the id of a row"),
        ("\n".join(str(uuid4()) for _ in range(MAX_CHOSEN + 1)), "5,001 rows are chosen"),
    ):
        answer = await http.post("/export/streams.csv", content=body)
        assert (answer.status_code, sentence in answer.text) == (422, True), answer.text
    body = "\n".join(str(uuid4()) for _ in range(MAX_CHOSEN))
    assert (await http.post("/export/streams.json", content=body)).json() == []
    assert (await http.post("/export/streams.csv", content="x" * 300_000)).status_code == 413


async def test_no_other_site_has_a_selection_exported(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    ada = await world.person(org)
    [[stream]] = await world.sql("insert into streams (org_id, name) values (%s, 'mine') returning id", org)
    await enter(http, ada)
    for origin, status in (("https://evil.example", 403), ("http://app.test", 200)):
        answer = await http.post("/export/streams.csv", content=str(stream), headers={"Origin": origin})
        assert answer.status_code == status
    http.cookies.clear()
    assert (await http.post("/export/streams.csv", content=str(stream))).status_code == 401


async def test_the_whole_list_comes_as_json_too(http: httpx.AsyncClient, world: World) -> None:
    org = await world.organization()
    await enter(http, await world.person(org))
    assert (await http.get("/export/streams.json")).json() == []
    await world.sql(
        "insert into streams (org_id, name, goal_status) select %s, '=1', 'blocked' from generate_series(1, 700)", org
    )
    await world.sql("insert into streams (org_id, name) values (%s, 'other')", org)
    found = (await http.get("/export/streams.json?status=blocked&sort=name")).json()
    assert [row["name"] for row in found] == ["=1"] * 700, "what is no spreadsheet quotes nothing"
    assert found[0]["completed"] == 0
    assert found[0]["finished_at"] is None
