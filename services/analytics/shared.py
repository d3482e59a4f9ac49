"""Readings that windows share: those that show the same board have it read once."""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from uuid import UUID

from services.analytics.board import Board
from services.analytics.reading import Reading, read_board
from services.auth.identity import Identity
from services.infra.database import Database

READ_PARTS = ("jobs", "failures", "alerts", "tokens", "cost")
"""Charts that are read only where they are shown."""
MAX_KEPT = 100


@dataclass(frozen=True, slots=True)
class _Read:
    began: float
    task: asyncio.Task[Reading]


class BoardReadings:
    """Reads boards, once for all who ask for the same one before its read began.

    A reading holds what every member of the organisation may read; one with alerts is shared by the windows of their
    recipient alone. Whoever asks must be a member.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._reads: dict[Hashable, _Read] = {}

    async def read(
        self, identity: Identity, org_id: UUID, board: Board, *, zone: str, since: float | None = None
    ) -> tuple[Reading, float]:
        """Return a reading that began at `since` or later, by the clock of this object, and when; see `read_board`."""
        begun = self._begun(identity, org_id, board, zone, since)
        return await asyncio.shield(begun.task), begun.began

    def begin(self, identity: Identity, org_id: UUID, board: Board, *, zone: str) -> float:
        """Begin a reading before it is asked for; returns since when, for `read`."""
        begun = self._begun(identity, org_id, board, zone, None)
        # Whoever asks for it meets its error.
        begun.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return begun.began

    def _begun(self, identity: Identity, org_id: UUID, board: Board, zone: str, since: float | None) -> _Read:
        now = self._clock()
        parts = tuple(name for name in READ_PARTS if board.shows(name))
        user = identity.user_id if "alerts" in parts else None
        key = (org_id, user, board.kind, board.query.key, board.zone or zone, parts)
        known = self._reads.get(key)
        if known is None or known.began < (now if since is None else since):
            read = read_board(self._database, identity, org_id, board, zone=zone)
            known = _Read(now, asyncio.create_task(read, name="board of analytics"))
            self._reads.pop(key, None)
            self._reads[key] = known
            while len(self._reads) > MAX_KEPT:
                self._reads.pop(next(iter(self._reads)))
        return known

    def now(self) -> float:
        """The time by this object's clock."""
        return self._clock()
