"""Counts of the database: what the list itself would count, bounded, and spread in time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.entities import AGENTS, Entity
from services.lists import counting
from services.lists.query import ListQuery
from tests.services.lists.conftest import LISTS, Lists

pytestmark = pytest.mark.integration
of_lists = pytest.mark.parametrize("entity", LISTS, ids=lambda each: str(each.table))
CHOICES: tuple[dict[str, str], ...] = (
    {},
    {"q": "import"},
    {"from": "20m"},
    {"q": "i", "from": "40m", "to": "5m"},
    {"agent": "a1"},
    {"q": "zz zz"},
)


@of_lists
async def test_groups_count_each_chip_as_the_rows_do(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    for choice in CHOICES:
        query = ListQuery.parse(entity.listing, choice)
        found = await lists.stored(entity).groups(query)
        assert found.is_exact
        for facet in (each for each in entity.listing.facets if each.kind == "chips"):
            for option in facet.options:
                chosen = ListQuery.parse(entity.listing, {**choice, facet.name: option.value})
                wanted = sum(1 for row in rows if chosen.matches(row))
                chips = chosen.chips
                got = sum(group.count for group in found.groups if chips.matches(group.example))
                assert got == wanted, (choice, facet.name, option.value)


async def test_more_than_so_many_are_said_to_be_more(lists: Lists, monkeypatch: pytest.MonkeyPatch) -> None:
    query = ListQuery.parse(AGENTS.listing, {"q": "i"})
    count = sum(group.count for group in (await lists.stored(AGENTS).groups(query)).groups)
    for limit, is_exact in ((count, True), (count - 1, False)):
        monkeypatch.setattr(counting, "MAX_COUNT", limit)
        found = await lists.stored(AGENTS).groups(query)
        assert (found.is_exact, sum(group.count for group in found.groups)) == (is_exact, count)


@of_lists
async def test_a_histogram_has_every_row_of_its_range_once(lists: Lists, entity: Entity[Any]) -> None:
    rows = await lists.rows(entity)
    for choice in CHOICES:
        query = ListQuery.parse(entity.listing, choice)
        found = await lists.stored(entity).histogram(query)
        assert found
        assert len(found.counts) == len(found.critical) == counting.BUCKETS
        assert sum(found.counts) == sum(1 for row in rows if query.matches(row)), choice
        assert all(critical <= count for critical, count in zip(found.critical, found.counts, strict=True))
        assert found.start < found.end


@pytest.mark.parametrize("span", [timedelta(microseconds=1), timedelta(days=36500)])
async def test_a_histogram_of_any_range_has_its_rows_in_their_places(lists: Lists, span: timedelta) -> None:
    now = datetime.now(UTC)
    params = {"from": (now - span).isoformat(), "to": (now + span).isoformat()}
    found = await lists.stored(AGENTS).histogram(ListQuery.parse(AGENTS.listing, params))
    assert found
    assert found.end - found.start >= timedelta(seconds=1)
    rows = [row for row in await lists.rows(AGENTS) if row.archived_at is None]
    assert sum(found.counts) == (len(rows) if span > timedelta(days=1) else 0)


async def test_a_histogram_ahead_of_all_rows_is_empty(lists: Lists) -> None:
    found = await lists.stored(AGENTS).histogram(ListQuery.parse(AGENTS.listing, {"from": "2999-01-01"}))
    assert found
    assert sum(found.counts) == 0


async def test_a_select_offers_what_the_rows_have_and_what_is_chosen(
    lists: Lists, monkeypatch: pytest.MonkeyPatch
) -> None:
    selects = {facet.name: facet for facet in AGENTS.listing.facets if facet.kind == "select"}
    agent, stream = selects["agent"], selects["stream"]
    rows = [row for row in await lists.rows(AGENTS) if row.archived_at is None]
    found = await lists.stored(AGENTS).options(agent)
    assert {value for value, _ in found} == {row.agent_id for row in rows}
    assert [label for _, label in await lists.stored(AGENTS).options(stream)] == ["home"]
    monkeypatch.setattr(counting, "MAX_OPTIONS", 1)
    rare = min((value for value, _ in found), key=lambda value: sum(row.agent_id == value for row in rows))
    assert [value for value, _ in await lists.stored(AGENTS).options(agent, chosen=[rare])] == [rare]
