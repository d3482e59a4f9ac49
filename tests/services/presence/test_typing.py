"""Who is typing: the service in virtual time over a database in memory."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import UUID, uuid4

from services.errors import DatabaseUnavailable
from services.infra.database import Database
from services.presence.typing import Typing, Typist
from services.realtime import TypingKind, TypingSignal
from tests.services.realtime.fakes import ORG, FakeMember
from tests.virtual_time import scenes

SUBJECT = "stream:1"
ANA, BO = uuid4(), uuid4()


class FakeConnection:
    """Counts the signals, and hands them to `typing` after `delay` seconds, as the database and Realtime do."""

    def __init__(self) -> None:
        self.typing: Typing | None = None
        self.delay = 0.0
        self.is_down = False
        self.sent: list[tuple[float, dict[str, Any]]] = []

    @asynccontextmanager
    async def as_app(self) -> AsyncIterator["FakeConnection"]:
        if self.is_down:
            raise DatabaseUnavailable("PostgreSQL does not answer.")
        yield self

    async def connection(self) -> "FakeConnection":
        return self

    async def execute(self, _: object, values: dict[str, Any]) -> None:
        await asyncio.sleep(self.delay)
        self.sent.append((asyncio.get_running_loop().time(), values))
        assert self.typing
        self.typing.received(values["org"], signal(values["person"], values["subject"], values["kind"]))


def signal(user_id: UUID, subject: str = SUBJECT, kind: str = "typing") -> TypingSignal:
    return TypingSignal(user_id=user_id, name="Ana", subject=subject, kind=TypingKind(kind))


class Scene:
    """One process, a user who types there, and what another user is shown with the times of each change."""

    def __init__(self) -> None:
        self.database = FakeConnection()
        self.typing = self.database.typing = Typing(cast(Database, self.database))
        self.me = FakeMember()
        self.shown: list[tuple[float, list[UUID]]] = []
        self.watch = self.typing.watch(ORG, SUBJECT, self._show, me=BO)

    def _show(self, people: list[Typist]) -> None:
        self.shown.append((asyncio.get_running_loop().time(), [each.user_id for each in people]))

    async def type_for(self, seconds: float) -> None:
        """Report an input ten times a second."""
        for _ in range(int(seconds * 10)):
            self.typing.report(self.me, ORG, SUBJECT)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def started() -> AsyncIterator[Scene]:
    stage = Scene()
    async with stage.typing:
        yield stage


scene = scenes(started)


@scene
async def test_typing_on_and_on_sends_a_signal_every_two_seconds_and_shows_one_unbroken_indicator(it: Scene) -> None:
    await it.type_for(20)
    assert [round(at) for at, _ in it.database.sent] == list(range(0, 20, 2))
    assert it.shown == [(0, [it.me.user_id])]


@scene
async def test_an_indicator_ends_five_seconds_after_the_last_signal(it: Scene) -> None:
    it.typing.report(it.me, ORG, SUBJECT)
    await asyncio.sleep(60)
    assert it.shown == [(0, [it.me.user_id]), (5, [])]


@scene
async def test_a_message_ends_the_indicator_at_once_and_a_signal_sent_before_it_does_not_bring_it_back(
    it: Scene,
) -> None:
    it.typing.received(ORG, signal(ANA))
    it.typing.stopped(ORG, ANA, SUBJECT)
    it.typing.received(ORG, signal(ANA))
    await asyncio.sleep(60)
    assert [people for _, people in it.shown] == [[ANA], []]


@scene
async def test_a_signal_on_its_way_to_the_database_is_not_sent_after_the_message(it: Scene) -> None:
    it.database.delay = 30
    it.typing.report(it.me, ORG, SUBJECT)
    await asyncio.sleep(1)
    it.typing.stopped(ORG, it.me.user_id, SUBJECT)
    await asyncio.sleep(60)
    assert it.database.sent == []


@scene
async def test_a_second_message_is_announced_although_it_is_begun_right_after_the_first(it: Scene) -> None:
    await it.type_for(0.5)
    it.typing.stopped(ORG, it.me.user_id, SUBJECT)
    await it.type_for(3)
    assert [people for _, people in it.shown] == [[it.me.user_id], [], [it.me.user_id]]
    assert it.shown[-1][0] < 3


@scene
async def test_a_slow_database_is_asked_again_only_when_it_has_answered(it: Scene) -> None:
    it.database.delay = 9
    await it.type_for(20)
    assert [round(at) for at, _ in it.database.sent] == [9, 18]


@scene
async def test_a_database_that_is_away_costs_the_indicator_and_nothing_else(it: Scene) -> None:
    it.database.is_down = True
    await it.type_for(3)
    it.database.is_down = False
    await it.type_for(3)
    assert [(round(at), people) for at, people in it.shown] == [(4, [it.me.user_id])]


@scene
async def test_nobody_is_shown_to_oneself_in_another_subject_or_after_the_watch(it: Scene) -> None:
    it.typing.received(ORG, signal(BO))
    it.typing.received(ORG, signal(ANA, "stream:2"))
    it.typing.received(uuid4(), signal(ANA))
    assert it.shown == []
    it.watch.close()
    it.watch.close()
    it.typing.received(ORG, signal(ANA))
    assert it.shown == []
    assert it.watch.people == []


@scene
async def test_a_watch_that_begins_later_knows_who_is_typing(it: Scene) -> None:
    it.typing.received(ORG, signal(ANA, kind="editing"))
    it.typing.received(ORG, signal(BO))
    later = it.typing.watch(ORG, SUBJECT, lambda people: None, me=uuid4())
    assert [(each.user_id, each.name, each.kind) for each in later.people] == [
        (ANA, "Ana", TypingKind.EDITING),
        (BO, "Ana", TypingKind.TYPING),
    ]


@scene
async def test_a_handler_that_fails_keeps_no_other_from_its_news(it: Scene) -> None:
    def fail(_: list[Typist]) -> None:
        raise RuntimeError("this window is gone")

    it.typing.watch(ORG, SUBJECT, fail, me=BO)
    heard: list[int] = []
    it.typing.watch(ORG, SUBJECT, lambda people: heard.append(len(people)), me=BO)
    it.typing.received(ORG, signal(ANA))
    assert heard == [1]
