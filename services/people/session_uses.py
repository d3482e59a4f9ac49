"""Where a user's sessions are used: noted by the app, listed for the user, who can end each."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy import text
from ua_parser import parse

from services.auth.identity import Identity
from services.errors import LivewatchError, NotFound
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.infra.rate_limiter import checked_address

logger = structlog.get_logger(__name__)

NOTE_INTERVAL_SECONDS = 300.0
MAX_AGENT_CHARACTERS = 400
MAX_REMEMBERED = 10_000

_NOTE = text("select public.note_session(:agent, cast(:address as inet))")
_SESSIONS = text("select id, created_at, used_at, user_agent, host(address) as address, is_current from my_sessions()")
_END = text("select public.end_session(:id)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Where a session is used: the `User-Agent` header and the IP address, both as the browser's request has them."""

    agent: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """One session of the user; `used_at` is at most some minutes older than its last use."""

    id: UUID
    created_at: datetime
    used_at: datetime
    user_agent: str
    address: str | None
    is_current: bool

    @property
    def device(self) -> str:
        """Program and system, such as `Firefox on Ubuntu`."""
        return device_name(self.user_agent)


def device_name(user_agent: str) -> str:
    """Return program and system of a `User-Agent` header, such as `Firefox on Ubuntu`."""
    parsed = parse(_printable(user_agent)[:MAX_AGENT_CHARACTERS])
    parts = [each.family for each in (parsed.user_agent, parsed.os) if each]
    return " on ".join(parts) or "Unknown device"


class SessionUses:
    """Notes where sessions are used, at most once in five minutes each.

    Args:
        database: Where the notes are kept.
        clock: Monotonic time in seconds.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._noted: dict[str, tuple[float, Browser]] = {}

    def note_soon(self, identity: Identity, browser: Browser) -> None:
        """Note a use of the identity's session in the background."""
        if self._is_due(identity, browser):
            task = create_shared_task(self.note(identity, browser), name="use of a session")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def note(self, identity: Identity, browser: Browser) -> None:
        """Note a use of the identity's session; a database that is away is logged."""
        if not self._is_due(identity, browser):
            return
        if len(self._noted) >= MAX_REMEMBERED:
            self._noted.clear()
        self._noted[identity.session_id] = (self._clock(), browser)
        values = {
            "agent": _printable(browser.agent)[:MAX_AGENT_CHARACTERS],
            "address": checked_address(browser.address),
        }
        try:
            async with self._database.as_user(identity) as session:
                await (await session.connection()).execute(_NOTE, values)
        except LivewatchError as error:
            self._noted.pop(identity.session_id, None)
            logger.info("use of a session not noted", cause=str(error))

    def _is_due(self, identity: Identity, browser: Browser) -> bool:
        at, known = self._noted.get(identity.session_id, (0.0, None))
        return known != browser or self._clock() - at >= NOTE_INTERVAL_SECONDS


async def open_sessions(database: Database, identity: Identity) -> list[OpenSession]:
    """Read the user's sessions, the latest used first."""
    async with database.as_user(identity) as session:
        rows = await (await session.connection()).execute(_SESSIONS)
        return [OpenSession(**row._mapping) for row in rows]


async def end_session(database: Database, identity: Identity, id: UUID) -> None:
    """End one of the user's sessions; raises NotFound if it is over already, or another user's."""
    async with database.as_user(identity) as session:
        ended = (await (await session.connection()).execute(_END, {"id": id})).scalar_one()
    if not ended:
        raise NotFound("This session has ended already.")


async def discard_session(database: Database, identity: Identity) -> None:
    """End the identity's own session, whose token may be larger than a header of Auth; a failure is logged."""
    try:
        await end_session(database, identity, UUID(identity.session_id))
    except LivewatchError as error:
        logger.info("session not ended", cause=str(error))


def _printable(agent: str) -> str:
    return "".join(each for each in agent if each.isprintable())
