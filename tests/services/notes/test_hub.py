"""Notes on the real database: written once and in order, by members who may, and seen by every process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from services.entities import STREAMS
from services.errors import LivewatchError, NotAccepted, NotFound, PermissionDenied
from services.notes import documents
from services.notes.changes import MAX_LENGTH, DocumentText, parse_changes
from services.notes.hub import DocumentWatch, NotesHub
from services.operations.upkeep.retention import trim_updates
from services.people.models import Role
from services.realtime import CaretSignal, RealtimeService
from tests.world import Person, World, until

pytestmark = pytest.mark.integration


class Notes:
    """The notes of one stream, and two people who write there."""

    def __init__(self, world: World, org: UUID, stream: UUID, ada: Person, ben: Person) -> None:
        self.world, self.org, self.stream, self.ada, self.ben = world, org, stream, ada, ben

    @asynccontextmanager
    async def process(self, realtime: RealtimeService | None = None) -> AsyncIterator[NotesHub]:
        """Yield the hub of a process, which hears Realtime if that is given."""
        async with NotesHub(self.world.database) as hub:
            if realtime:
                realtime.on_notes = hub.received
                subscription = realtime.subscribe(STREAMS, self.org, session=self.ben)
                await until(lambda: subscription.is_loaded)
            yield hub

    async def window(self, hub: NotesHub, person: Person) -> "Window":
        watch = hub.open(self.stream, person, on_change=lambda: None)
        await watch.authorize()
        return Window(watch)

    async def stored(self) -> str:
        text, _ = await documents.read_document(self.world.database, self.ada.identity, self.stream)
        return str(text)


class Window:
    """One browser's end: sends changes as its client."""

    def __init__(self, watch: DocumentWatch) -> None:
        self.watch = watch
        self.client = uuid4()
        self.number = 0

    @property
    def text(self) -> str:
        return str(self.watch.document.text)

    async def push(self, raw: list[Any], *, version: int | None = None, again: bool = False) -> None:
        self.number += not again
        at = self.watch.document.version if version is None else version
        await self.watch.push(self.client, self.number, at, parse_changes(raw))

    async def append(self, words: str) -> None:
        length = len(self.watch.document.text)
        await self.push([*([length] if length else []), [0, *words.split("\n")]])


@pytest.fixture
async def notes(world: World) -> Notes:
    org, stream = await world.organization("Ours"), uuid4()
    ada, ben = await world.person(org), await world.person(org)
    await world.sql("insert into streams (id, org_id, name) values (%s, %s, 'Import')", stream, org)
    return Notes(world, org, stream, ada, ben)


async def test_what_is_written_is_read_by_a_later_process(notes: Notes) -> None:
    async with notes.process() as hub:
        window = await notes.window(hub, notes.ada)
        assert (window.text, window.watch.document.version) == ("", 0)
        await window.append("one \U0001f680\n")
        await window.append("two")
        assert window.text == "one \U0001f680\ntwo"
    assert await notes.stored() == "one \U0001f680\ntwo"
    rows = await notes.world.sql(
        "select version, author_id, number from document_updates where document_id = %s order by version", notes.stream
    )
    assert rows == [(1, notes.ada.id, 1), (2, notes.ada.id, 2)]


async def test_two_processes_write_at_once_and_agree(notes: Notes, realtime: RealtimeService) -> None:
    async with notes.process() as alone, notes.process(realtime) as hearing:
        ada, ben = await notes.window(alone, notes.ada), await notes.window(hearing, notes.ben)
        for round in range(5):
            await asyncio.gather(ada.push([[0, f"a{round}"]], version=0), ben.push([[0, f"b{round}"]], version=0))
        await until(lambda: ben.watch.document.version == 10)
        await ada.watch.document.refresh()
        assert ada.text == ben.text == await notes.stored()
        assert sorted(ada.text) == sorted("".join(f"a{round}b{round}" for round in range(5)))


async def test_an_update_that_is_sent_again_is_written_once(notes: Notes) -> None:
    async with notes.process() as first, notes.process() as second:
        window = await notes.window(first, notes.ada)
        await window.append("once")
        await window.push([[0, "once"]], version=0, again=True)
        other = await notes.window(second, notes.ada)
        other.client, other.number = window.client, window.number
        await other.push([[0, "once"]], version=0, again=True)
    assert await notes.stored() == "once"


async def test_an_update_is_written_once_even_after_the_log_was_trimmed(notes: Notes) -> None:
    async with notes.process() as hub:
        window = await notes.window(hub, notes.ada)
        await window.append("once")
        await window.watch.document.fold()
        await notes.world.sql("update document_updates set created_at = now() - interval '2 days'")
        assert await trim_updates(notes.world.database) >= 1
        await window.push([[0, "once"]], version=0, again=True)
        with pytest.raises(NotAccepted, match="not kept any more"):
            await push_of_a_fresh_process(notes, [[0, "late"]])
    assert await notes.stored() == "once"


async def push_of_a_fresh_process(notes: Notes, raw: list[Any]) -> None:
    """Send a change of version 0 from a process that has read the notes only now."""
    async with notes.process() as hub:
        await (await notes.window(hub, notes.ben)).push(raw, version=0)


async def test_garbage_is_refused_and_the_rest_of_a_batch_is_written(notes: Notes) -> None:
    async with notes.process() as hub:
        ada, ben = await notes.window(hub, notes.ada), await notes.window(hub, notes.ben)
        await ada.append("a\U0001f680b")
        results = await asyncio.gather(
            ada.push([2, [0, "x"], 2]),
            ben.push([4, [0, "!"]]),
            ben.push([40, [0, "x"]]),
            ada.push([4, [0, "x"]], version=7),
            ada.push([4, [0, "x"]], version=-1),
            return_exceptions=True,
        )
        assert [type(each) for each in results] == [NotAccepted, type(None), NotAccepted, NotAccepted, NotAccepted]
        assert ada.text == await notes.stored() == "a\U0001f680b!"
        with pytest.raises(NotAccepted, match="at most"):
            await ada.push([5, [0, "x" * (MAX_LENGTH - 4)]])
        await ada.push([5, [0, "x" * (MAX_LENGTH - 5)]])
        assert len(ada.watch.document.text) == MAX_LENGTH


async def test_viewers_and_strangers_write_nothing_and_strangers_read_nothing(notes: Notes) -> None:
    world = notes.world
    viewer = await world.person(notes.org, role=Role.VIEWER)
    eve = await world.person(await world.organization("Theirs"), role=Role.ADMIN)
    async with notes.process() as hub:
        ada, reader = await notes.window(hub, notes.ada), await notes.window(hub, viewer)
        await ada.append("ours")
        assert reader.text == "ours"
        with pytest.raises(PermissionDenied, match="only read"):
            await reader.append("x")
        with pytest.raises(NotFound):
            await notes.window(hub, eve)
        stranger = Window(hub.open(notes.stream, eve, on_change=lambda: None))
        assert not stranger.watch.is_authorized
        with pytest.raises(PermissionDenied):
            await stranger.push([4, [0, "x"]], version=1)
        await world.sql("update org_members set role = 'viewer' where user_id = %s", notes.ada.id)
        results = await asyncio.gather(
            ada.append("x"), (await notes.window(hub, notes.ben)).append("!"), return_exceptions=True
        )
        assert [type(each) for each in results] == [PermissionDenied, type(None)]
        await ada.watch.document.fold()
    assert await notes.stored() == "ours!"
    assert await documents.history(world.database, eve.identity, notes.stream) == []
    assert await documents.read_updates(world.database, eve.identity, notes.stream, 0) == []
    (snapshot,) = await documents.history(world.database, viewer.identity, notes.stream)
    with pytest.raises(NotFound):
        await documents.snapshot_text(world.database, eve.identity, notes.stream, snapshot.id)


@pytest.mark.parametrize("table", ["documents", "document_updates", "document_snapshots"])
async def test_nobody_writes_past_the_app(notes: Notes, table: str) -> None:
    for statement in (
        f"insert into {table} (org_id) values (null)",
        f"delete from {table}",
        f"update {table} set org_id = null",
    ):
        with pytest.raises(LivewatchError):
            async with notes.world.database.as_user(notes.ada.identity) as session:
                await (await session.connection()).exec_driver_sql(statement)
    for role in ("anon", "authenticated", "service_role"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await notes.world.sql(f"set local role {role}; select private.append_updates('{notes.stream}', 0, '[]')")


async def test_the_database_refuses_an_update_of_another_length(notes: Notes) -> None:
    draft = documents.DraftUpdate(
        author=notes.ada.id, client=uuid4(), number=1, version=0, changes=parse_changes([3, [0, "x"]])
    )
    with pytest.raises(Exception, match="3 units"):
        await documents.append_updates(notes.world.database, notes.stream, 0, [draft])
    assert await notes.stored() == ""


async def test_notes_of_a_deleted_stream_are_refused_with_a_sentence(notes: Notes) -> None:
    async with notes.process() as hub:
        window = await notes.window(hub, notes.ada)
        await window.append("kept?")
        await notes.world.sql("delete from streams where id = %s", notes.stream)
        with pytest.raises(NotFound, match="deleted"):
            await window.append("more")
        with pytest.raises(NotFound):
            await window.watch.authorize()
    assert await notes.world.sql("select from documents where stream_id = %s", notes.stream) == []


async def test_a_lost_broadcast_shows_with_the_next_or_after_a_refresh(notes: Notes, realtime: RealtimeService) -> None:
    async with notes.process() as alone, notes.process(realtime) as hearing:
        ada, ben = await notes.window(alone, notes.ada), await notes.window(hearing, notes.ben)
        await ada.append("one")
        await until(lambda: ben.text == "one")
        realtime.on_notes = lambda _: None
        await ada.append(" two")
        realtime.on_notes = hearing.received
        await ada.append(" three")
        await until(lambda: ben.text == "one two three")
        await ada.append("x" * 120_000)
        await until(lambda: ben.text == ada.text, what="an update too large for a broadcast is read")


async def test_the_history_has_who_wrote_and_a_closed_text_stays(notes: Notes) -> None:
    database, ada = notes.world.database, notes.ada.identity
    await notes.world.sql("update profiles set display_name = 'Ada' where user_id = %s", notes.ada.id)
    async with notes.process() as hub:
        first, second = await notes.window(hub, notes.ada), await notes.window(hub, notes.ben)
        await first.append("plan")
        await first.watch.document.fold()
        await second.append(" A")
        await first.watch.document.fold(closes=True)
        await first.append(" B")
    latest, before = await documents.history(database, ada, notes.stream)
    assert latest.authors == {notes.ada.id: "Ada"}
    assert set(before.authors) == {notes.ada.id, notes.ben.id}
    assert await documents.snapshot_text(database, ada, notes.stream, before.id) == "plan A"
    assert await documents.snapshot_text(database, ada, notes.stream, latest.id) == "plan A B"


async def test_the_text_is_stored_and_old_updates_are_trimmed(notes: Notes) -> None:
    async with notes.process() as hub:
        window = await notes.window(hub, notes.ada)
        for each in range(3):
            await window.append(str(each))
        await window.watch.document.fold()
        await window.append("3")
        await notes.world.sql(
            "update document_updates set created_at = now() - interval '25 hours' where document_id = %s", notes.stream
        )
        while await trim_updates(notes.world.database, limit=2):
            pass
        rows = await notes.world.sql("select version from document_updates where document_id = %s", notes.stream)
        assert rows == [(4,)]
        assert await notes.stored() == "0123"


async def test_carets_reach_members_and_not_those_of_who_is_invisible(notes: Notes, realtime: RealtimeService) -> None:
    async with notes.process(realtime) as hub:
        seen: list[CaretSignal] = []
        watch = hub.open(notes.stream, notes.ben, on_change=lambda: None, on_caret=seen.append)
        await watch.authorize()
        ada = await notes.window(hub, notes.ada)
        await asyncio.gather(
            ada.watch.move_caret(ada.client, version=7, anchor=2, head=5),
            ada.watch.move_caret(ada.client, version=0, anchor=3, head=3),
        )
        await until(lambda: seen)
        assert (seen[0].user_id, seen[0].client) == (notes.ada.id, ada.client)
        assert (seen[0].version, seen[0].anchor, seen[0].head) == (7, 2, 5)
        await notes.world.sql(
            """update profiles set preferences = '{"online": false}' where user_id = %s""", notes.ada.id
        )
        other = await notes.window(hub, notes.ada)
        await other.watch.move_caret(other.client, version=0, anchor=4, head=4)
        ben = await notes.window(hub, notes.ben)
        await ben.watch.move_caret(ben.client, version=0, anchor=0, head=0)
        await until(lambda: seen[-1].user_id == notes.ben.id)
        assert other.client not in {each.client for each in seen}


async def test_lengths_count_utf16_units_in_the_database(notes: Notes) -> None:
    for words in ("", "a", "a\U0001f680b\u00e4", "\U0001f469\u200d\U0001f4bb\n\n"):
        ((length,),) = await notes.world.sql("select private.utf16_length(%s)", words)
        assert length == len(DocumentText(words))
