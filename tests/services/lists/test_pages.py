"""Pages of rows from the database: what the page's own filters and orders make of all rows, whole and in parts."""

from itertools import product
from typing import Any

import pytest

from services.entities import Entity
from services.errors import PermissionDenied
from services.lists.pages import Position, read_page
from services.lists.query import ListQuery
from services.lists.stored import StoredRows
from tests.services.lists.conftest import LISTS, SEARCHES, Lists

pytestmark = pytest.mark.integration
of_lists = pytest.mark.parametrize("entity", LISTS, ids=lambda each: str(each.table))


def choices_of(entity: Entity[Any], rows: list[Any]) -> list[dict[str, str]]:
    choices: list[dict[str, str]] = [{}, {"from": "20m"}, {"to": "30m"}, {"from": "40m", "to": "10m", "q": "import"}]
    for facet in entity.listing.facets:
        values = [option.value for option in facet.options] or sorted({v for row in rows for v in facet.values(row)})
        choices += [{facet.name: value} for value in values]
        choices.append({facet.name: ",".join(values[:3]), "q": "i"})
    return choices


async def ids_of(lists: Lists, entity: Entity[Any], query: ListQuery[Any], limit: int) -> list[Any]:
    found: list[Any] = []
    after: Position | None = None
    while True:
        page = await read_page(
            lists.world.database, lists.person.identity, entity, query, lists.org, after=after, limit=limit
        )
        found += [row.id for row in page.rows]
        if (after := page.next) is None:
            return found


@of_lists
async def test_every_filter_selects_what_the_list_selects(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    told_apart = 0
    for choice in choices_of(entity, rows):
        query = ListQuery.parse(entity.listing, choice)
        wanted = {row.id for row in rows if query.matches(row)}
        found = await ids_of(lists, entity, query, 500)
        assert (len(found), set(found)) == (len(wanted), wanted), choice
        assert set(await lists.stored(entity).matching_ids(query)) == wanted, choice
        told_apart += 0 < len(wanted) < len(rows)
    assert told_apart >= 5, "the filters tell rows apart"


@of_lists
async def test_a_search_finds_what_the_list_finds(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    for search in SEARCHES:
        query = ListQuery.parse(entity.listing, {"q": search})
        wanted = {row.id for row in rows if query.matches(row)}
        assert set(await ids_of(lists, entity, query, 500)) == wanted, search


@of_lists
async def test_pages_of_any_size_are_in_the_order_of_the_list(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    for sort, limit in product(entity.listing.sorts, (7, 50)):
        query = ListQuery.parse(entity.listing, {"sort": sort.name})
        wanted = sorted((row for row in rows if query.matches(row)), key=lambda row: (sort.key(row), row.id))
        found = await ids_of(lists, entity, query, limit)
        assert found == [row.id for row in wanted], sort.name


@of_lists
async def test_an_order_by_time_begins_at_any_time(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    for sort in (each for each in entity.listing.sorts if each.since):
        query = ListQuery.parse(entity.listing, {"sort": sort.name})
        times = sorted({getattr(row, sort.sql) for row in rows})
        moment = times[len(times) // 2]
        page = await lists.stored(entity).page(query, Position.at(moment))
        assert sort.since
        place = sort.since(moment)
        assert [row.id for row in page.rows] == [
            row.id
            for row in sorted(rows, key=lambda row: (sort.key(row), row.id))
            if query.matches(row) and sort.key(row) >= place
        ][: len(page.rows)]
        assert page.rows


@of_lists
async def test_nobody_reads_what_is_not_theirs(lists: Lists, entity: Entity[Any]) -> None:
    stranger_org = await lists.world.organization()
    stranger = await lists.world.person(stranger_org)
    query = ListQuery.parse(entity.listing, {})
    stored = lists.stored(entity, reader=stranger)
    rows = await lists.rows(entity)
    for reading in (
        stored.page(query),
        stored.page(ListQuery.parse(entity.listing, {"q": "import"})),
        stored.rows([row.id for row in rows]),
        stored.matching_ids(query),
        stored.groups(query),
        stored.histogram(query),
    ):
        with pytest.raises(PermissionDenied, match="no access"):
            await reading
    other = StoredRows(lists.world.database, stranger, entity, stranger_org)
    assert (await other.page(query)).rows == []
    assert await other.rows([row.id for row in rows]) == {}, "ids say nothing of who may read"
    assert await other.histogram(query) is None


@of_lists
async def test_texts_follow_their_rows(lists: Lists, entity: Entity[Any]) -> None:
    world, name = lists.world, {"agent_executions": "agent_name", "signal_alerts": "target_name"}
    column = name.get(entity.table, "title" if entity.table == "notifications" else "name")
    # Not the stream to which the agents belong, which would take them along.
    row = next(row for row in await lists.rows(entity) if getattr(row, column) != "home")
    await world.sql(f"update {entity.table} set {column} = 'Umbenannt ÄÖ' where id = %s", row.id)
    found = ListQuery.parse(entity.listing, {"q": "umbenannt ao", "show": "", "sort": ""})
    assert set(await lists.stored(entity).matching_ids(found)) <= {row.id}
    expression = entity.listing.search_sql
    for text, record in await world.sql(
        f"select texts.text, to_jsonb(rows) from private.{entity.table}_texts as texts join {entity.table} as rows "
        "on rows.id = row_id where rows.org_id = %s", lists.org,
    ):  # fmt: skip
        assert text == entity.listing.searched(entity.model.read(record)), expression
    await world.sql(f"delete from {entity.table} where id = %s", row.id)
    ((lost, extra),) = await world.sql(
        f"select (select count(*) from {entity.table} as t where not exists (select from "
        f"private.{entity.table}_texts where row_id = t.id)), (select count(*) from private.{entity.table}_texts as t "
        f"where not exists (select from {entity.table} where id = t.row_id))"
    )
    assert (lost, extra) == (0, 0)
