"""Messages as people write them, on the real database: who may do what, once and in order."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.chat import messages
from services.chat.messages import NewMessage, Subject
from services.entities import Handling, Message, MessageKind, Topical
from services.errors import Conflict, LivewatchError, NotAccepted, NotFound, PermissionDenied, TooFast
from services.people.models import Role
from tests.world import Person, World

pytestmark = pytest.mark.integration
RTL = "\u202eevil\u200b مرحبا"


class Room:
    """An organisation's chat and its people."""

    def __init__(self, world: World, org: UUID, ada: Person, ben: Person) -> None:
        self.world, self.org, self.ada, self.ben = world, org, ada, ben
        self.subject = Subject(table=Topical.ORGANIZATION, id=org)

    async def post(self, person: Person, body: str, subject: Subject | None = None, **draft: object) -> int:
        id = draft.pop("id", None) or uuid4()
        made = NewMessage(id=id, body=body, **draft)  # type: ignore[arg-type]
        return await messages.post(self.world.database, person.identity, self.org, subject or self.subject, made)

    async def read(self, subject: Subject | None = None, person: Person | None = None) -> list[Message]:
        who = (person or self.ada).identity
        thread = await messages.thread_id(self.world.database, who, self.org, subject or self.subject)
        return await messages.page(self.world.database, who, thread) if thread else []

    async def stream(self, name: str = "Nightly import") -> Subject:
        rows = await self.world.sql("insert into streams (org_id, name) values (%s, %s) returning id", self.org, name)
        return Subject(table=Topical.STREAM, id=rows[0][0])


@pytest.fixture
async def room(world: World) -> Room:
    org = await world.organization("Ours")
    return Room(world, org, await world.person(org, role=Role.ADMIN), await world.person(org))


async def burst(world: World, org: UUID, person: Person, *, lasts: float = 60) -> None:
    """Have a person written too many messages for `lasts` seconds from now, however fast this machine is."""
    await world.sql(
        "insert into messages (id, org_id, thread_id, number, author_id, author_name, body, created_at)"
        " select gen_random_uuid(), org_id, id, last_number + n, %s, 'Ada', 'm' || n, now() + %s * interval '1 second'"
        " from threads, generate_series(1, 15) n where org_id = %s and subject_table = 'organizations'",
        person.id,
        lasts - 10,
        org,
    )
    await world.sql(
        "update threads set last_number = last_number + 15 where org_id = %s and subject_table = 'organizations'", org
    )


async def test_messages_are_numbered_in_order_and_keep_their_text(room: Room) -> None:
    bodies = ["first", "<script>alert(1)</script>", RTL, "x" * 20_000, "a\0b", "half of \ud83d"]
    assert [await room.post(room.ada, body) for body in bodies] == [1, 2, 3, 4, 5, 6]
    assert [each.body for each in await room.read(person=room.ben)] == [*bodies[:4], "ab", "half of \ufffd"]


async def test_the_same_message_sent_again_is_one(room: Room) -> None:
    id = uuid4()
    sent = await asyncio.gather(*(room.post(room.ada, "once", id=id) for _ in range(5)), return_exceptions=True)
    # Two at the very same time may meet; the sender tries again.
    assert {each for each in sent if not isinstance(each, BaseException)} == {1}
    assert await room.post(room.ada, "once", id=id) == 1
    assert len(await room.read()) == 1
    with pytest.raises(Conflict):
        await room.post(room.ben, "mine now", id=id)


@pytest.mark.parametrize("body", ["", "  \n", "x" * 20_001])
async def test_a_text_that_is_none_or_too_long_is_refused_with_a_sentence(room: Room, body: str) -> None:
    with pytest.raises(NotAccepted, match="needs a text" if not body.strip() else "at most 20,000"):
        await room.post(room.ada, body)
    assert await room.read() == []


async def test_who_writes_too_fast_is_slowed_down_and_loses_nothing(room: Room) -> None:
    await room.post(room.ada, "first")
    await burst(room.world, room.org, room.ada)
    with pytest.raises(TooFast, match="faster than others can read"):
        await room.post(room.ada, "one more")
    assert await room.post(room.ben, "others are not held up") == 17


async def test_a_viewer_reads_and_writes_nothing(room: Room) -> None:
    viewer = await room.world.person(room.org, role=Role.VIEWER)
    await room.post(room.ada, "for all")
    mine = (await room.read())[0]
    assert [each.body for each in await room.read(person=viewer)] == ["for all"]
    database, identity = room.world.database, viewer.identity
    for work in (
        room.post(viewer, "me, too"),
        messages.edit(database, identity, mine.id, "changed"),
        messages.delete(database, identity, mine.id),
        messages.react(database, identity, mine.id, "👍", is_on=True),
        messages.handle(database, identity, room.org, await room.stream(), Handling.TAKEN),
    ):
        with pytest.raises(LivewatchError):
            await work
    await messages.mark_read(database, identity, mine.thread_id, 1)
    assert await room.world.sql("select number from read_positions where user_id = %s", viewer.id) == [(1,)]


async def test_nothing_crosses_to_another_organisation(room: Room) -> None:
    theirs = await room.world.organization("Theirs")
    eve = await room.world.person(theirs, role=Role.ADMIN)
    stream = await room.stream()
    await room.post(room.ada, "ours", mentions=[eve.id, room.ben.id])
    await room.post(room.ada, "about it", stream)
    ours = (await room.read())[0]
    assert ours.mentions == [room.ben.id]
    assert await room.world.sql("select 1 from notifications where user_id = %s", eve.id) == []
    database, identity = room.world.database, eve.identity
    assert await room.read(person=eve) == []
    assert await messages.page(database, identity, ours.thread_id) == []
    assert await messages.find(database, identity, room.org, "ours") == []
    draft = NewMessage(id=uuid4(), body="hello")
    with pytest.raises(PermissionDenied):
        await messages.post(database, identity, room.org, room.subject, draft)
    with pytest.raises(NotFound):
        await messages.post(database, identity, theirs, stream, draft)
    for work in (
        messages.edit(database, identity, ours.id, "changed"),
        messages.delete(database, identity, ours.id),
        messages.react(database, identity, ours.id, "👍", is_on=True),
        messages.handle(database, identity, theirs, stream, Handling.TAKEN),
    ):
        with pytest.raises(NotFound):
            await work
    await messages.mark_read(database, identity, ours.thread_id, 1)
    assert await room.world.sql("select 1 from read_positions where user_id = %s", eve.id) == []


@pytest.mark.parametrize("table", ["threads", "messages", "read_positions"])
async def test_nobody_writes_the_tables_themselves(room: Room, table: str) -> None:
    await room.post(room.ada, "mine")
    async with room.world.database.as_user(room.ada.identity) as session:
        connection = await session.connection()
        allowed = await connection.exec_driver_sql(
            f"select has_table_privilege('public.{table}', 'insert'), has_table_privilege('public.{table}', 'update'),"
            f" has_any_column_privilege('public.{table}', 'update')"
        )
        assert list(allowed.one()) == [False, False, False]


async def test_mentions_and_replies_arrive_as_notifications(room: Room) -> None:
    stream = await room.stream("R&D <b>")
    await room.post(room.ben, "It is stuck", stream)
    first = (await room.read(stream))[0]
    await room.post(room.ada, "@Ben look", stream, reply_to=first.id)
    await room.post(room.ada, "@Ben look here", stream, mentions=[room.ben.id, room.ada.id])
    rows = await room.world.sql(
        "select title, message, action_url from notifications where user_id = %s order by created_at", room.ben.id
    )
    assert [title.partition(" ")[2] for title, _, _ in rows] == [
        "replied to you in R&D <b>",
        "mentioned you in R&D <b>",
    ]
    assert rows[1][1:] == ("@Ben look here", f"/chat?about={stream}&message=3")
    assert await room.world.sql("select 1 from notifications where user_id = %s", room.ada.id) == []


async def test_own_messages_change_and_admins_delete_all(room: Room) -> None:
    database = room.world.database
    await room.post(room.ben, "wrnog")
    message = (await room.read())[0]
    await messages.edit(database, room.ben.identity, message.id, "wrong")
    with pytest.raises(NotFound):
        await messages.edit(database, room.ada.identity, message.id, "not mine")
    await room.post(room.ada, "an answer", reply_to=message.id)
    await messages.delete(database, room.ada.identity, message.id)
    gone, answer = await room.read()
    assert (gone.body, bool(gone.deleted_at), gone.number, answer.reply_to) == ("", True, 1, message.id)
    with pytest.raises(NotFound):
        await messages.edit(database, room.ben.identity, message.id, "back again")
    assert await room.post(room.ben, "a reply to what was deleted", reply_to=message.id) == 3
    assert await room.world.sql("select 1 from audit_events where org_id = %s and action = 'message.deleted'", room.org)


async def test_reactions_count_people_once(room: Room) -> None:
    database = room.world.database
    await room.post(room.ben, "done")
    id = (await room.read())[0].id
    for person in (room.ada, room.ben, room.ada):
        await messages.react(database, person.identity, id, "🎉", is_on=True)
    assert (await room.read())[0].reactions == {"🎉": [room.ben.id, room.ada.id]}
    await messages.react(database, room.ada.identity, id, "🎉", is_on=False)
    await messages.react(database, room.ben.identity, id, "🎉", is_on=False)
    assert (await room.read())[0].reactions == {}
    with pytest.raises(NotAccepted):
        await messages.react(database, room.ada.identity, id, "x" * 17, is_on=True)


async def test_a_thread_goes_with_its_run_and_takes_no_late_comment(room: Room) -> None:
    stream = await room.stream()
    await room.post(room.ada, "about it", stream)
    await room.world.sql("delete from streams where id = %s", stream.id)
    assert await room.read(stream) == []
    with pytest.raises(NotFound, match="was deleted"):
        await room.post(room.ada, "too late", stream)


async def test_the_thread_of_an_alert_is_begun_by_its_recipient_alone(room: Room) -> None:
    rows = await room.world.sql(
        "insert into signal_alerts (org_id, user_id, target_name, signal_type, signal_strength)"
        " values (%s, %s, 'Secret target', 'spike', 90) returning id",
        room.org,
        room.ben.id,
    )
    alert = Subject(table=Topical.ALERT, id=rows[0][0])
    with pytest.raises(NotFound):
        await room.post(room.ada, "what is it?", alert)
    await room.post(room.ben, "look at this", alert)
    assert await room.post(room.ada, "I see", alert) == 2


async def test_a_run_is_taken_snoozed_and_resolved_for_the_team(room: Room) -> None:
    database, stream = room.world.database, await room.stream()
    soon = datetime.now(UTC) + timedelta(hours=1)
    await messages.handle(database, room.ben.identity, room.org, stream, Handling.TAKEN)
    await messages.handle(database, room.ben.identity, room.org, stream, Handling.TAKEN)
    await messages.handle(database, room.ada.identity, room.org, stream, Handling.SNOOZED, until=soon)
    await messages.handle(database, room.ada.identity, room.org, stream, Handling.RESOLVED, note="restarted it")
    rows = await room.world.sql(
        "select handling, handler_id, snoozed_until from threads where subject_id = %s", stream.id
    )
    assert rows == [("resolved", room.ada.id, None)]
    said = [(each.kind, each.body) for each in await room.read(stream)]
    kind = MessageKind.HANDLING
    assert said == [(kind, "taken"), (kind, "snoozed"), (kind, "resolved restarted it")]
    for handling, until in ((Handling.SNOOZED, None), (Handling.TAKEN, soon), (Handling.SNOOZED, soon - timedelta(1))):
        with pytest.raises(NotAccepted):
            await messages.handle(database, room.ada.identity, room.org, stream, handling, until=until)
    with pytest.raises(NotAccepted):
        await messages.handle(database, room.ada.identity, room.org, room.subject, Handling.TAKEN)


async def test_how_far_one_has_read_never_goes_back_or_beyond(room: Room) -> None:
    database = room.world.database
    for number in range(3):
        await room.post(room.ada, str(number))
    thread = (await room.read())[0].thread_id
    for number in (2, 1, 2_000_000_000):
        await messages.mark_read(database, room.ben.identity, thread, number)
    rows = await room.world.sql("select user_id, number from read_positions where thread_id = %s", thread)
    assert dict(rows) == {room.ada.id: 3, room.ben.id: 3}


async def test_ten_thousand_messages_are_read_by_pages_and_found(room: Room) -> None:
    await room.post(room.ada, "the beginning of it all")
    thread = (await room.read())[0].thread_id
    await room.world.sql(
        "insert into messages (id, org_id, thread_id, number, author_id, author_name, body)"
        " select gen_random_uuid(), %s, %s, n, %s, 'Ada', 'message number ' || n from generate_series(2, 10000) n",
        room.org,
        thread,
        room.ada.id,
    )
    database, identity = room.world.database, room.ben.identity
    seen: list[int] = []
    before = None
    for _ in range(3):
        found = await messages.page(database, identity, thread, before=before)
        seen, before = [each.number for each in found] + seen, found[0].number
    assert seen == list(range(9851, 10001))
    assert [each.number for each in await messages.page(database, identity, thread, after=9998)] == [9999, 10000]
    for words, number in (("beginning all", 1), ("number 777", 777), ("BEGINN", 1)):
        hits = await messages.find(database, identity, room.org, words)
        assert number in [each.number for each, _ in hits], words
    for words in ("  &|!:*() ", "it's & | ! the:* beginning"):
        assert await messages.find(database, identity, room.org, words) == []
