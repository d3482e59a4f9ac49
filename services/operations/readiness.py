"""Whether this process can do its work now: the database answers, has every migration, and Realtime listens."""

import asyncio
import time
from collections.abc import Callable

from services.errors import LivewatchError
from services.infra.database import Database
from services.operations.migrations import missing_migrations
from services.realtime import RealtimeService

TIMEOUT = 3.0
# However often it is asked, the database is so only once in this time.
FRESH = 2.0
GOOD = "ok"


class Readiness:
    """Answers of the last seconds are given again."""

    def __init__(
        self, database: Database, realtime: RealtimeService, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._realtime = realtime
        self._clock = clock
        self._known: tuple[float, dict[str, str]] | None = None
        self._lock = asyncio.Lock()

    async def look(self) -> dict[str, str]:
        """For `database`, `migrations` and `realtime` either "ok" or a sentence that says what is wrong."""
        async with self._lock:
            if self._known is None or self._clock() - self._known[0] > FRESH:
                database, realtime = await asyncio.gather(self._ask_database(), self._ask_realtime())
                self._known = (self._clock(), {**database, "realtime": realtime})
            return self._known[1]

    async def _ask_database(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(TIMEOUT):
                missing = await missing_migrations(self._database)
        except (LivewatchError, TimeoutError):
            return {"database": "PostgreSQL does not answer.", "migrations": "not known"}
        told = f"{len(missing)} are not applied: {', '.join(missing)}." if missing else GOOD
        return {"database": GOOD, "migrations": told}

    async def _ask_realtime(self) -> str:
        return GOOD if await self._realtime.is_reachable() else "Realtime cannot be reached."
