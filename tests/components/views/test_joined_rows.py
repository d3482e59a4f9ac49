"""Joined rows: a feed's rows and the database's are one list, whatever happens between two pages."""

import asyncio
import random
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from components.presentation.rows import present_stream
from components.views.lists import joined_rows
from components.views.lists.joined_rows import JoinedRows
from components.views.lists.rows import RowsView
from services.entities import STREAMS, GoalStatus, LiveTable, R, RowGroup, Stream, Topic
from services.entities.base.entity import Scope
from services.errors import DatabaseUnavailable
from services.lists.counting import GroupCounts
from services.lists.pages import LOWEST_ID, Page, Position
from services.lists.query import ListQuery
from services.realtime import Delta, Subscription
from services.realtime.rows import Rows
from services.realtime.transports.change import Change, Operation, row_change
from tests.services.realtime.fakes import FakeMember
from tests.world import until

ORG = uuid4()
NOW = datetime(2026, 11, 26, tzinfo=UTC)
PAGE = 5


def query(**params: str) -> ListQuery[Stream]:
    return ListQuery.parse(STREAMS.listing, {"sort": "newest", **params})


@dataclass
class Table:
    """Fake database table: what it holds, and how it answers."""

    rows_by_id: dict[UUID, Stream] = field(default_factory=dict)
    is_down: bool = False
    asked: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def page(self, query: ListQuery[Stream], after: Position | None = None) -> Page[Stream]:
        self.asked += 1
        await self.gate.wait()
        if self.is_down:
            raise DatabaseUnavailable("PostgreSQL did not answer.")
        place = query.sort.key
        ordered = sorted(filter(query.matches, self.rows_by_id.values()), key=lambda row: (place(row), row.id))
        if after is not None:
            assert query.sort.since
            start = (query.sort.since(datetime.fromisoformat(after.key)), after.id)
            ordered = [row for row in ordered if (place(row), row.id) > start]
        rows = ordered[:PAGE]
        last = rows[-1] if len(rows) == PAGE else None
        at = last.created_at.isoformat() if last and last.created_at else ""
        return Page(rows=rows, next=Position(is_first=False, key=at, id=last.id) if last else None)

    async def rows(self, ids: Collection[UUID]) -> dict[UUID, Stream]:
        return {id: self.rows_by_id[id] for id in ids if id in self.rows_by_id}

    async def groups(self, query: ListQuery[Stream]) -> GroupCounts[Stream]:
        rows = [row for row in self.rows_by_id.values() if query.matches(row)]
        return GroupCounts(groups=tuple(RowGroup(example=row, count=1) for row in rows), is_exact=True)


class Held:
    """Fake feed."""

    last_event_at = None

    def __init__(self, rows: Rows[Stream]) -> None:
        self._rows = rows

    def rows(self, entity: LiveTable[R]) -> Rows[R] | None:
        return cast(Rows[R], self._rows)


class Lists:
    """A table, a feed that holds its newest rows, and a list of both."""

    def __init__(self, held: int, total: int) -> None:
        self.table = Table()
        self.table.gate.set()
        self.feed = Rows(STREAMS, quarantine=lambda *_: None)
        self.subscription: Subscription[Stream] = Subscription(
            STREAMS,
            Topic(Scope.ORG, ORG),
            session=FakeMember(),
            where=None,
            on_change=None,
            on_status=None,
            on_close=lambda _: None,
        )
        self.subscription.attach(Held(self.feed))
        for n in range(total):
            self.write(n)
        self.snapshot(held)
        self.news = 0
        self.joined = JoinedRows(self.subscription, self.table, query(), on_news=self.told)
        self.view = self.view_of(query())

    def told(self) -> None:
        self.news += 1

    def view_of(self, query: ListQuery[Stream]) -> RowsView[Stream]:
        self.joined.choose(query)
        return RowsView(self.joined, present=present_stream, key=query.sort.key, where=query.matches)

    def write(self, n: int, **changes: Any) -> Stream:
        id = UUID(int=n + 1)
        known = self.table.rows_by_id.get(id)
        made = NOW - timedelta(minutes=n)
        fields = {"name": f"n{n}", "goal_status": GoalStatus.COMPLETED, "created_at": made, "updated_at": made}
        record = fields | {"id": id, "org_id": ORG, "version": known.version + 1 if known else 1} | changes
        row = self.table.rows_by_id[id] = Stream.read(record)
        return row

    def snapshot(self, held: int) -> list[Delta[Stream]]:
        newest = sorted(self.table.rows_by_id.values(), key=lambda row: row.updated_at or NOW, reverse=True)[:held]
        records = [row.model_dump(by_alias=True) | {"metadata": {}} for row in newest]
        deltas = self.feed.replace(records, adopts_older=True)
        is_cut = len(self.table.rows_by_id) > held
        self.feed.cut(is_cut, complete_since=newest[-1].updated_at if is_cut else None)
        self.feed.count_all(None)
        return deltas

    def change(self, row: Stream) -> list[Delta[Stream]]:
        return self._apply(row_change("streams", row.model_dump(mode="json", by_alias=True) | {"metadata": {}}))

    def delete(self, n: int) -> list[Delta[Stream]]:
        row = self.table.rows_by_id.pop(UUID(int=n + 1))
        change = Change(table="streams", operation=Operation.DELETE, id=row.id, version=row.version + 1, record=None)
        return self._apply(change)

    def _apply(self, change: Change) -> list[Delta[Stream]]:
        deltas = [delta] if (delta := self.feed.apply(change)) else []
        self.joined.take(deltas)
        return deltas

    def names(self) -> list[str]:
        order = ((self.view.full() or {}).get("reset") or {"order": []})["order"]
        rows = {str(row.id): row.name for row in self.joined.rows()}
        return [rows[id] for id in order]

    async def read(self) -> None:
        before = self.news
        self.joined.reach()
        await until(lambda: self.news > before, within=5, what="a page was read")

    def expected(self, wanted: Callable[[Stream], bool] = lambda _: True) -> list[str]:
        rows = sorted(filter(wanted, self.table.rows_by_id.values()), key=lambda row: (query().sort.key(row), row.id))
        return [row.name for row in rows]


async def test_a_feed_that_holds_every_row_is_not_asked_about() -> None:
    lists = Lists(held=20, total=8)
    assert lists.names() == lists.expected()
    lists.joined.reach()
    assert (lists.joined.is_cut, lists.joined.missing, lists.table.asked) == (False, "", 0)


async def test_pages_follow_the_held_rows_until_the_end() -> None:
    lists = Lists(held=4, total=17)
    assert lists.names() == [f"n{n}" for n in range(3)], "the last held row may have others of its time beside it"
    assert lists.joined.missing == "reading"
    for _ in range(3):
        await lists.read()
    assert lists.names() == lists.expected()
    assert (lists.joined.is_cut, lists.joined.missing) == (False, "")


async def test_a_row_that_is_deleted_while_its_page_is_on_its_way_does_not_come_back() -> None:
    lists = Lists(held=4, total=12)
    lists.names()
    lists.table.gate.clear()
    lists.joined.reach()
    await until(lambda: lists.table.asked == 1, within=5, what="the page is asked for")
    stale = dict(lists.table.rows_by_id)
    lists.delete(6)
    lists.table.rows_by_id, now = stale, lists.table.rows_by_id
    lists.table.gate.set()
    await until(lambda: lists.news > 0, within=5, what="the page was read")
    lists.table.rows_by_id = now
    assert "n6" not in lists.names()


async def test_a_row_of_the_database_changes_and_goes_with_its_events() -> None:
    lists = Lists(held=4, total=20)
    lists.names()
    await lists.read()
    lists.change(lists.write(6, name="renamed"))
    assert "renamed" in lists.names()
    lists.delete(7)
    assert lists.names() == lists.expected()[:7]


async def test_a_row_that_the_feed_lets_go_stays_unless_it_was_deleted() -> None:
    lists = Lists(held=6, total=9)
    lists.names()
    await lists.read()
    before = lists.names()
    deleted = lists.table.rows_by_id.pop(UUID(int=3))
    news = lists.news
    lists.joined.take(lists.snapshot(2))
    await until(lambda: lists.news > news, within=5, what="the rows were checked")
    assert lists.names() == [name for name in before if name != deleted.name]


async def test_a_database_that_does_not_answer_is_said_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "services.infra.tasks.coalescer.Reloads.__init__.__kwdefaults__", {"retry": 0.01, "interval": 0.0}
    )
    lists = Lists(held=4, total=12)
    lists.names()
    lists.table.is_down = True
    await lists.read()
    assert lists.joined.missing == "failed"
    lists.table.is_down = False
    await until(lambda: not lists.joined.is_failed, within=5, what="it was tried again")
    assert len(lists.names()) > 4


async def test_an_order_by_something_else_waits_for_the_first_page() -> None:
    lists = Lists(held=4, total=12)
    lists.view = lists.view_of(query(sort="name"))
    assert lists.view.full() is None, "no rows that others would come before"
    await until(lambda: lists.news > 0, within=5, what="the first page was read")
    ordered = sorted(row.name for row in lists.table.rows_by_id.values())
    assert lists.names() == ordered[:PAGE]


async def test_a_list_that_holds_as_much_as_it_may_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_rows, "MAX_STORED", PAGE)
    lists = Lists(held=4, total=30)
    lists.names()
    await lists.read()
    asked = lists.table.asked
    lists.joined.reach()
    assert (lists.joined.missing, lists.joined.more, lists.table.asked) == ("beyond", 0, asked)
    assert lists.joined.earliest == NOW - timedelta(minutes=7)


async def test_counts_of_a_search_are_the_databases() -> None:
    lists = Lists(held=4, total=30)
    lists.view = lists.view_of(query(q="n1"))
    assert (lists.joined.needs_counts, lists.joined.groups) == (False, None), "the rows are not asked for yet"
    lists.names()
    assert (lists.joined.needs_counts, lists.joined.groups) == (True, None)
    await until(lambda: lists.joined.groups is not None, within=5, what="the rows were counted")
    assert sum(group.count for group in lists.joined.groups or ()) == 11


async def test_whatever_happens_the_list_ends_equal_to_the_table() -> None:
    for seed in range(40):
        chance = random.Random(seed)
        lists = Lists(held=chance.randint(1, 12), total=20)
        lists.names()
        for _ in range(60):
            kind, n = chance.random(), chance.randint(0, 25)
            if kind < 0.35 and not lists.feed.is_absent(UUID(int=n + 1)):
                lists.change(lists.write(n, name=f"n{n} {chance.random():.3f}", updated_at=NOW + timedelta(seconds=n)))
            elif kind < 0.5 and UUID(int=n + 1) in lists.table.rows_by_id:
                lists.delete(n)
            elif kind < 0.7 and lists.joined.is_cut:
                await lists.read()
            elif kind < 0.8:
                lists.joined.take(lists.snapshot(chance.randint(1, 12)))
            lists.names()
        while lists.joined.is_cut:
            await lists.read()
        await asyncio.sleep(0)
        assert sorted(lists.names()) == sorted(lists.expected()), seed
        assert LOWEST_ID not in {row.id for row in lists.joined.rows()}
        lists.joined.close()
