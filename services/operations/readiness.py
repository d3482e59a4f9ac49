"""Readiness of this process: the database responds, all migrations are applied, and Realtime is reachable."""

import asyncio
import time
from collections.abc import Callable

from services.errors import LivewatchError
from services.infra.database import Database
from services.operations.migrations import missing_migrations
from services.realtime import RealtimeService

CHECK_TIMEOUT_SECONDS = 3.0
# Limits the queries that frequent probes of a load balancer cause.
RESULT_TTL_SECONDS = 2.0
GOOD = "ok"


class Readiness:
    """Checks the dependencies of this process and caches the result for `RESULT_TTL_SECONDS`."""

    def __init__(
        self, database: Database, realtime: RealtimeService, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._realtime = realtime
        self._clock = clock
        self._cached: tuple[float, dict[str, str]] | None = None
        self._lock = asyncio.Lock()

    async def check(self) -> dict[str, str]:
        """Return "ok" or a description of the problem for each of `database`, `migrations` and `realtime`."""
        async with self._lock:
            if self._cached is None or self._clock() - self._cached[0] > RESULT_TTL_SECONDS:
                database, realtime = await asyncio.gather(self._check_database(), self._check_realtime())
                self._cached = (self._clock(), {**database, "realtime": realtime})
            return self._cached[1]

    async def _check_database(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_SECONDS):
                missing = await missing_migrations(self._database)
        except TimeoutError:
            return {"database": "PostgreSQL does not respond.", "migrations": "unknown"}
        except LivewatchError as error:
            return {"database": f"{str(error).split('. ')[0].rstrip('.')}.", "migrations": "unknown"}
        migrations = f"{len(missing)} not applied: {', '.join(missing)}." if missing else GOOD
        return {"database": GOOD, "migrations": migrations}

    async def _check_realtime(self) -> str:
        return GOOD if await self._realtime.is_reachable() else "Realtime is unreachable."
