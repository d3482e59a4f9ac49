"""Typing indicators: who is writing about a subject right now, as signals that nobody stores."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import text

from services.errors import LivewatchError
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.realtime import Subscriber, TypingKind, TypingSignal

logger = structlog.get_logger(__name__)

SIGNAL_INTERVAL_SECONDS = 2.0
SIGNAL_TTL_SECONDS = 5.0
"""Seconds after its last signal that a person counts as typing, by the receiver's monotonic clock."""
STRAGGLER_SECONDS = 1.0
"""Seconds after a person's message in which signals are taken for stragglers, sent before it."""
RESTART_SECONDS = 1.5
"""Seconds after a person's message until the next signal, which must not arrive as a straggler."""
MAX_REMEMBERED = 10_000
_REPORT = text("select private.report_typing(:org, :person, :subject, :kind)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Typist:
    """A person who is typing."""

    user_id: UUID
    name: str
    kind: TypingKind


OnTypists = Callable[[list[Typist]], object]


class Typing:
    """Sends the signals of this process's users, and keeps who is typing about the watched subjects.

    The app has the database send the signals: a member can signal neither for another nor in another organisation. They
    arrive on the organisation's topic, so a watcher needs a subscription there, as every window has. Close with
    `aclose`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._subjects: dict[tuple[UUID, str], _Subject] = {}
        self._next_signals: dict[tuple[UUID, UUID, str], float] = {}
        self._sending: dict[tuple[UUID, UUID, str], asyncio.Task[None]] = {}

    def report(self, session: Subscriber, org_id: UUID, subject: str, kind: TypingKind = TypingKind.TYPING) -> None:
        """Signal in the background that the session's user is typing; call it with every input.

        At most one signal in two seconds is sent for each user and subject. A database that is away is logged.
        Raises SessionExpired.
        """
        now = asyncio.get_running_loop().time()
        user_id = session.identity.user_id
        key = (org_id, user_id, subject)
        if now < self._next_signals.get(key, now) or key in self._sending:
            return
        if len(self._next_signals) >= MAX_REMEMBERED:
            self._next_signals = {each: at for each, at in self._next_signals.items() if at > now}
        self._next_signals[key] = now + SIGNAL_INTERVAL_SECONDS
        task = create_shared_task(self._send(org_id, user_id, subject, kind), name="typing signal")
        self._sending[key] = task
        task.add_done_callback(lambda _: self._sending.pop(key, None))

    def watch(self, org_id: UUID, subject: str, on_change: OnTypists, *, me: UUID) -> "TypingWatch":
        """Call `on_change` with those who are typing about a subject whenever they change, until the watch is closed.

        Args:
            org_id: The organisation.
            subject: The subject, as `report` has it.
            on_change: Called with the others, those first who began first.
            me: The user who watches, who is left out.
        """
        key = (org_id, subject)
        if key not in self._subjects:
            self._subjects[key] = _Subject()
        return TypingWatch(self._subjects, key, on_change, me)

    def stopped(self, org_id: UUID, user_id: UUID, subject: str) -> None:
        """Show a person as typing no more: a message of that person has arrived. Call it in every process."""
        key = (org_id, user_id, subject)
        if sending := self._sending.get(key):
            sending.cancel()
        if key in self._next_signals:
            self._next_signals[key] = asyncio.get_running_loop().time() + RESTART_SECONDS
        if watched := self._subjects.get((org_id, subject)):
            watched.stop(user_id)

    def received(self, org_id: UUID, signal: TypingSignal) -> None:
        """Take a signal from the organisation's feed."""
        if watched := self._subjects.get((org_id, signal.subject)):
            watched.take(Typist(user_id=signal.user_id, name=signal.name, kind=signal.kind))

    async def aclose(self) -> None:
        """End what is being sent; idempotent."""
        sending = list(self._sending.values())
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        for subject in self._subjects.values():
            subject.clear()

    async def __aenter__(self) -> "Typing":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _send(self, org_id: UUID, user_id: UUID, subject: str, kind: TypingKind) -> None:
        values = {"org": org_id, "person": user_id, "subject": subject, "kind": kind.value}
        try:
            async with self._database.as_app() as session:
                await (await session.connection()).execute(_REPORT, values)
        except LivewatchError as error:
            logger.info("typing not signalled", cause=str(error))


class TypingWatch:
    """One watch on a subject; `close` it."""

    def __init__(
        self, subjects: "dict[tuple[UUID, str], _Subject]", key: tuple[UUID, str], on_change: OnTypists, me: UUID
    ) -> None:
        self._subjects = subjects
        self._key = key
        self._subject = subjects[key]
        self._on_change = on_change
        self._me = me
        self._told = self.people
        self._subject.watches.append(self)

    @property
    def people(self) -> list[Typist]:
        """The others who are typing now, those first who began first."""
        return [each for each in self._subject.people if each.user_id != self._me]

    def close(self) -> None:
        """End the watch; idempotent."""
        if self in self._subject.watches:
            self._subject.watches.remove(self)
            if not self._subject.watches:
                self._subject.clear()
                del self._subjects[self._key]

    def tell(self) -> None:
        """Call the handler if the others have changed."""
        if (people := self.people) == self._told:
            return
        self._told = people
        try:
            self._on_change(people)
        except Exception:
            logger.exception("handler of typing signals failed")


class _Subject:
    """Who is typing about one subject, while anybody watches it."""

    def __init__(self) -> None:
        self.watches: list[TypingWatch] = []
        self._typists: dict[UUID, Typist] = {}
        self._timers: dict[UUID, asyncio.TimerHandle] = {}
        self._stopped_at: dict[UUID, float] = {}

    @property
    def people(self) -> list[Typist]:
        return list(self._typists.values())

    def take(self, typist: Typist) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._stopped_at.get(typist.user_id, float("-inf")) + STRAGGLER_SECONDS:
            return
        self._cancel(typist.user_id)
        self._timers[typist.user_id] = loop.call_later(SIGNAL_TTL_SECONDS, self._forget, typist.user_id)
        self._typists[typist.user_id] = typist
        self._tell()

    def stop(self, user_id: UUID) -> None:
        self._stopped_at[user_id] = asyncio.get_running_loop().time()
        self._forget(user_id)

    def clear(self) -> None:
        """Forget everybody without telling."""
        for user_id in list(self._timers):
            self._cancel(user_id)
        self._typists.clear()

    def _forget(self, user_id: UUID) -> None:
        self._cancel(user_id)
        if self._typists.pop(user_id, None):
            self._tell()

    def _cancel(self, user_id: UUID) -> None:
        if timer := self._timers.pop(user_id, None):
            timer.cancel()

    def _tell(self) -> None:
        for watch in list(self.watches):
            watch.tell()
