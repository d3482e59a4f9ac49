"""Filters of the lists: the database selects exactly the rows that the page's own filter selects."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import httpx
import pytest

from services.entities import AGENTS, ENTITIES, SCANS, STREAMS, AgentStatus, Entity, GoalStatus, ScanStatus, Scope
from services.entities.activities import IncidentStatus
from services.ingest import REPORTING, KeyScope
from services.lists.query import ListQuery
from services.reading import RESOURCES
from services.schedules.watcher import watch
from tests.pages.api.reading.conftest import Reader
from tests.pages.program import a_program
from tests.world import World

pytestmark = pytest.mark.integration
NAMES = (
    "Nightly import",
    "NÄCHTLICHER Import",
    "Straße",
    "ﬁle 100%_done",
    "ночной импорт",
    "استيراد ليلي",
    "İstanbul",
    "e\u0301te\u0301",
    "back\\slash",
)
SEARCHES = (
    "import",
    "IMPÔRT nacht",
    "strasse",
    "file",
    "100%_done",
    "_",
    "импорт",
    "ИМПОРТ",
    "ليلي",
    "ete",
    "\\",
    "zzz",
    "istanbul",
)
STATUS_COLUMNS = {"streams": "goal_status", "acquisition_scans": "status", "agent_executions": "status"}


@pytest.fixture(scope="module")
async def odd(world: World, served_api: httpx.AsyncClient) -> Reader:
    """A program of an organisation with runs in every state and with every name."""
    program = await a_program(world, served_api, scopes=(*REPORTING, KeyScope.READ))
    ((stream,),) = await world.sql(
        "insert into streams (org_id, name, slug) values (%s, 'home', 'home') returning id", program.org
    )
    beats = ("null", "now()", "now() - interval '1 hour'")
    for table, statuses in ((STREAMS, GoalStatus), (SCANS, ScanStatus), (AGENTS, AgentStatus)):
        name = "agent_name, agent_id, stream_id" if table is AGENTS else "name"
        for n, (status, beat, step, is_archived) in enumerate(product(statuses, beats, beats, (False, True))):
            values: dict[str, str] = {
                STATUS_COLUMNS[table.table]: f"'{status.value}'",
                "heartbeat_at": beat,
                "heartbeat_interval": "null" if n % 5 == 0 else "10",
                "archived_at": "now()" if is_archived else "null",
            }
            if table is not AGENTS:
                values["last_progress_at"] = step
            if table is STREAMS:
                values |= {"total": str(n % 3 * 5), "completed": "5", "tags": f"array['t{n % 3}', 'all']"}
            title = NAMES[n % len(NAMES)]
            await world.sql(
                f"insert into {table.table} (org_id, slug, {name}, {', '.join(values)}) "
                f"values (%s, %s, {'%s, %s, %s' if table is AGENTS else '%s'}, {', '.join(values.values())})",
                program.org,
                f"run-{n}",
                *((title, f"id-{n % 4}", stream) if table is AGENTS else (title,)),
            )
    # What lists show of silence is what the watcher found.
    await watch(world.database)
    found = await world.sql("select distinct kind from incidents where org_id = %s order by kind", program.org)
    assert found == [("stalled",), ("unreachable",)]
    return Reader(program)


async def rows_of(world: World, odd: Reader, entity: Entity[Any]) -> list[Any]:
    found = await world.sql(f"select to_jsonb(t) from {entity.table} as t where org_id = %s", odd.program.org)
    return [entity.model.read(row[0]) for row in found]


@pytest.mark.parametrize("entity", [STREAMS, SCANS, AGENTS], ids=lambda each: str(each.table))
async def test_every_filter_selects_what_the_pages_list_selects(world: World, odd: Reader, entity: Entity[Any]) -> None:
    rows = await rows_of(world, odd, entity)
    (resource,) = (each for each in RESOURCES.values() if each.entity is entity)
    both = ",".join({"stalled", "unreachable", "blocked", "failed"} & set(resource.filters["status"].values))
    choices: list[dict[str, str]] = [{}, {"show": "archived"}, {"status": both, "show": "current"}]
    for facet in entity.listing.facets:
        values = [option.value for option in facet.options] or sorted({v for row in rows for v in facet.values(row)})
        choices += [{facet.name: value} for value in values]
    selected = 0
    for choice in choices:
        wanted = {str(row.id) for row in rows if ListQuery.parse(entity.listing, choice).matches(row)}
        got = await odd.items(f"/{resource.name}", **choice, limit=500)
        assert {row["id"] for row in got} == wanted, choice
        selected += bool(wanted) and len(wanted) < len(rows)
        for row in got if "status" in choice else ():
            assert row["is_unreachable"] <= ("unreachable" in choice["status"] or row["status"] in choice["status"])
    assert selected > 8, "the filters tell rows apart"
    assert {row["id"] for row in await odd.items(f"/{resource.name}", show="current,archived", limit=500)} == {
        str(row.id) for row in rows
    }


@pytest.mark.parametrize("entity", [STREAMS, SCANS, AGENTS], ids=lambda each: str(each.table))
async def test_a_search_finds_what_the_pages_search_finds(world: World, odd: Reader, entity: Entity[Any]) -> None:
    rows = await rows_of(world, odd, entity)
    (resource,) = (each for each in RESOURCES.values() if each.entity is entity)
    for search in SEARCHES:
        wanted = {str(row.id) for row in rows if ListQuery.parse(entity.listing, {"q": search}).matches(row)}
        assert wanted or search == "zzz" or (search in "_\\%") or entity is not STREAMS, search
        for limit in (7, 500):
            got = [row["id"] for row in await odd.items(f"/{resource.name}", q=search, limit=limit)]
            assert (len(got), set(got)) == (len(wanted), wanted), search


@pytest.mark.parametrize("entity", ENTITIES, ids=lambda each: str(each.table))
async def test_the_searched_text_is_declared_alike_for_python_and_the_database(
    world: World, ours: Reader, odd: Reader, entity: Entity[Any]
) -> None:
    for org in (ours.program.org, odd.program.org):
        for row, text in await world.sql(
            f"select to_jsonb(t), {entity.listing.search_sql} from {entity.table} as t where org_id = %s", org
        ):
            assert entity.listing.search_text(entity.model.read(row)) == text


async def test_a_search_in_many_rows_ends_a_page_early_and_goes_on(
    world: World, odd: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.reading.pages.SCANNED_ROWS", 5)
    monkeypatch.setattr("services.reading.pages.MAX_SCANNED_ROWS", 10)
    page = (await odd.get("/streams", q="istanbul", limit=2)).json()
    assert len(page["items"]) < 2
    assert page["next"]
    monkeypatch.setattr("services.reading.pages.SCANNED_ROWS", 1000)
    whole = [row["id"] for row in await odd.items("/streams", q="istanbul", limit=500)]
    monkeypatch.setattr("services.reading.pages.SCANNED_ROWS", 5)
    assert [row["id"] for row in await odd.items("/streams", q="istanbul", limit=2)] == whole


async def test_the_other_filters_select_by_columns(world: World, ours: Reader) -> None:
    stream = (await ours.get("/streams/import-0")).json()
    await ours.program.put("/streams/typed", stream_type="training", completed=1)
    await ours.program.post("/streams/typed/finish", status="completed")
    await world.sql("update streams set tags = array['a', 'b'] where slug = 'typed' and org_id = %s", ours.program.org)

    async def slugs(path: str, **parameters: str) -> set[str]:
        return {row["slug"] for row in await ours.items(path, **parameters)}

    for name in ("import-0", stream["id"]):
        assert await slugs("/scans", stream=name) == {"scan-0", "scan-1", "scan-2"}
        # The watcher of an app that another test started may have found runs that are silent.
        told = [row["status"] for row in await ours.items("/activities", stream=name)]
        assert len([status for status in told if status not in set(IncidentStatus)]) == 7
    assert await slugs("/agents", stream="nothing") == set()
    assert await slugs("/agents", stream="import-0,nothing") == {"agent-0", "agent-1", "agent-2"}
    assert await slugs("/streams", type="training") == {"typed"}
    assert await slugs("/streams", finished="true") == {"typed"}
    assert "typed" not in await slugs("/streams", finished="false")
    assert await slugs("/streams", tag="a,b") == await slugs("/streams", tag="b") == {"typed"}
    assert await slugs("/streams", tag="a,c") == set()
    assert {row["kind"] for row in await ours.items("/activities", kind="agent,scan")} == {"agent", "scan"}
    assert {row["signal_strength"] for row in await ours.items("/alerts", priority="medium")} == {60}
    assert len(await ours.items("/alerts", type="price_drop")) == 3
    assert len(await ours.items("/notifications", type="warning")) == 3
    assert await ours.items("/notifications", type="error") == []
    await world.sql("delete from streams where slug = 'typed' and org_id = %s", ours.program.org)


async def test_a_range_has_what_was_made_in_it(world: World, ours: Reader) -> None:
    await world.sql(
        "insert into streams (org_id, name, slug, created_at) values (%s, 'x', 'old', '2020-03-29T01:30:00Z')",
        ours.program.org,
    )

    async def has(**parameters: str) -> bool:
        return "old" in {row["slug"] for row in await ours.items("/streams", **parameters)}

    assert await has(until="2021-01-01")
    assert not await has(since="2021-01-01")
    assert await has(since="2020-03-29T01:30:00Z", until="2020-03-29T01:30:00.000001Z"), "from it on, before the other"
    assert not await has(until="2020-03-29T01:30:00Z")
    # Half past three in Berlin, on the day when its clocks go forward at two.
    assert await has(since="2020-03-29T03:30", until="2020-03-29T03:31", zone="Europe/Berlin")
    assert not await has(since="2020-03-29T03:30", until="2020-03-29T03:31", zone="UTC")
    assert await has(since="2020-03-29T03:30+02:00", zone="Asia/Tokyo")
    soon = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    assert await ours.items("/streams", since=soon) == [], "a range in the future has no rows yet"
    assert await ours.items("/streams", updated_since=soon) == []
    assert await has(since="0001-01-01T00:00:00+14:00", until="9999-12-31T23:59:59-14:00")
    await world.sql("delete from streams where slug = 'old' and org_id = %s", ours.program.org)


async def test_alerts_and_notifications_have_no_personal_filters() -> None:
    for resource in RESOURCES.values():
        assert ("show" in resource.filters) == (resource.entity.scope is Scope.ORG and resource.is_run)
