"""What lists ask of the database beyond their feeds: pages in each order, searches, counts, histograms and options."""

from typing import Any

from benchmarks.history.scene import Query, Read, Scene
from benchmarks.organisation.words import ABSENT_WORD, COMMON_WORD, RARE_WORD
from services.entities import AGENTS, ALERTS, STREAMS, Entity
from services.lists.counting import count_groups, read_histogram, read_options
from services.lists.pages import Position, read_page
from services.lists.query import ListQuery


def _page(entity: Entity[Any], **params: str) -> Read:
    async def read(scene: Scene) -> int:
        query = ListQuery.parse(entity.listing, params)
        return len((await read_page(scene.database, scene.identity, entity, query, scene.org)).rows)

    return read


async def _older_page(scene: Scene) -> int:
    query = ListQuery.parse(STREAMS.listing, {"sort": "newest"})
    after = Position.at(scene.old_row[0])
    return len((await read_page(scene.database, scene.identity, STREAMS, query, scene.org, after=after)).rows)


async def _children(scene: Scene) -> int:
    only = {"stream_id": scene.organisation.crowd}
    query = ListQuery.parse(AGENTS.listing, {})
    return len((await read_page(scene.database, scene.identity, AGENTS, query, scene.org, only=only)).rows)


def _count(entity: Entity[Any], **params: str) -> Read:
    async def read(scene: Scene) -> int:
        query = ListQuery.parse(entity.listing, params)
        return len((await count_groups(scene.database, scene.identity, entity, query, scene.org)).groups)

    return read


def _histogram(entity: Entity[Any], **params: str) -> Read:
    async def read(scene: Scene) -> int:
        query = ListQuery.parse(entity.listing, params)
        found = await read_histogram(scene.database, scene.identity, entity, query, scene.org)
        return sum(found.counts) if found else 0

    return read


async def _options(scene: Scene) -> int:
    (facet,) = (facet for facet in AGENTS.listing.facets if facet.name == "stream")
    return len(await read_options(scene.database, scene.identity, AGENTS, facet, scene.org))


def _orders(entity: Entity[Any]) -> list[Query]:
    return [
        Query(
            name=f"list: {entity.table} by {sort.name}",
            does="scrolls beyond the feed, or sorts",
            read=_page(entity, sort=sort.name),
        )
        for sort in entity.listing.sorts
    ]


def _searches(entity: Entity[Any], **words: str) -> list[Query]:
    found = [
        Query(name=f"search: {entity.table}, {name}", does="types into the search", read=_page(entity, q=word))
        for name, word in words.items()
    ]
    absent = Query(
        name=f"search: {entity.table}, absent",
        does="types into the search",
        read=_page(entity, q=ABSENT_WORD),
        finds=False,
    )
    return [*found, absent]


LIST_QUERIES = (
    *_orders(STREAMS),
    *_orders(AGENTS),
    *_orders(ALERTS),
    Query(name="list: a year ago", does="has scrolled to the rows of a year ago", read=_older_page),
    Query(name="list: children", does="opens a stream with a tenth of all agents", read=_children),
    *_searches(STREAMS, common="re", letter="e"),
    *_searches(AGENTS, common=COMMON_WORD, rare=RARE_WORD, letter="e"),
    Query(
        name="list: failed agents of a year", does="filters", read=_page(AGENTS, status="failed", **{"from": "365d"})
    ),
    Query(name="count: agents, common word", does="sees how many match", read=_count(AGENTS, q=COMMON_WORD)),
    Query(name="count: agents, one letter", does="sees how many match", read=_count(AGENTS, q="e")),
    Query(name="count: agents of 90 days", does="sees how many match", read=_count(AGENTS, **{"from": "90d"})),
    Query(name="histogram: agents of 90 days", does="opens the range", read=_histogram(AGENTS, **{"from": "90d"})),
    Query(name="histogram: all agents", does="opens the range", read=_histogram(AGENTS)),
    Query(name="options: streams of agents", does="opens the select", read=_options),
)
"""All queries of lists, in the order in which they are measured."""
