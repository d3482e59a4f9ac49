"""Ingest: writes reports as their key, under row-level security, with one SQL statement per request."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from psycopg import errors as pg
from sqlalchemy import text

from services.errors import DatabaseUnavailable, IngestRefused, PermissionDenied
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import Code, Operation, Target

logger = structlog.get_logger(__name__)

# Batches that write the same runs in different orders may deadlock; PostgreSQL then aborts one of them.
MAX_ATTEMPTS = 4
LAST_USED_INTERVAL_SECONDS = 60.0
UNAVAILABLE_RETRY_SECONDS = 2.0
CODES = {
    "LW404": Code.NOT_FOUND,
    "LW409": Code.FINISHED,
    "55000": Code.FINISHED,
    "LW4IC": Code.IDEMPOTENCY_CONFLICT,
}

_INGEST = text("select private.ingest(:org, cast(:operations as jsonb), :records_use)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Result of a write.

    Args:
        id: Id of the written row, if there is a single one.
        is_new: Whether the row was created.
        more: Further JSON values that the target returns.
    """

    id: UUID | None
    is_new: bool
    more: dict[str, Any] = field(default_factory=dict)


Outcome = Answer | IngestRefused


class Ingest:
    """Authenticates requests and applies their operations; holds no resources to close."""

    def __init__(
        self,
        database: Database,
        keys: ApiKeyVerifier,
        rate_limiter: RateLimiter[UUID],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._keys = keys
        self._rate_limiter = rate_limiter
        self._clock = clock
        self._recorded_at: dict[UUID, float] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """Number of operations by target and result, which is `written` or an error code."""

    async def authenticate(self, token: str) -> IngestKey:
        """Return the key of a request and count it; raises IngestRefused for a bad key or too many requests."""
        try:
            key = await self._keys.verify(token)
            if wait := self._rate_limiter.acquire(key.id):
                raise _too_many(self._rate_limiter.rate, wait)
        except DatabaseUnavailable as error:
            raise _unavailable(error) from error
        except IngestRefused as refusal:
            self.counts["request", str(refusal.code)] += 1
            raise
        return key

    async def apply(self, key: IngestKey, operations: Sequence[Operation]) -> list[Outcome]:
        """Apply operations in order, in one transaction with a savepoint for each.

        Args:
            key: The authenticated key of the request.
            operations: The validated operations.

        Returns:
            The outcome of each operation, in the same order.

        Raises:
            IngestRefused: Nothing was written, because the key was revoked or the database did not respond.
        """
        outcomes: list[Outcome | None] = [
            None if operation.scope in key.scopes else _out_of_scope(operation) for operation in operations
        ]
        wanted = [operation for operation, outcome in zip(operations, outcomes, strict=True) if outcome is None]
        answers = iter(await self._write(key, wanted, records_use=self._is_use_due(key)) if wanted else [])
        answered = [
            outcome or _outcome(operation, next(answers))
            for operation, outcome in zip(operations, outcomes, strict=True)
        ]
        for operation, answer in zip(operations, answered, strict=True):
            result = str(answer.code) if isinstance(answer, IngestRefused) else "written"
            self.counts[operation.target.value, result] += 1
        return answered

    async def record_use(self, key: IngestKey) -> None:
        """Set the key's `last_used_at`, at most once per minute."""
        if self._is_use_due(key):
            await self._write(key, [], records_use=True)

    async def _write(
        self, key: IngestKey, operations: Sequence[Operation], *, records_use: bool
    ) -> list[dict[str, Any]]:
        values = {
            "org": key.org_id,
            "operations": json.dumps([operation.as_json() for operation in operations]),
            "records_use": records_use,
        }
        try:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    async with self._database.as_user(key) as session:
                        written = await (await session.connection()).execute(_INGEST, values)
                        answers: list[dict[str, Any]] = written.scalar_one()
                    break
                except DatabaseUnavailable as error:
                    if attempt == MAX_ATTEMPTS or not _is_conflict(error):
                        raise
        except PermissionDenied as error:
            self._recorded_at.pop(key.id, None)
            raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin creates keys under Settings.") from error
        except DatabaseUnavailable as error:
            self._recorded_at.pop(key.id, None)
            raise _unavailable(error) from error
        return answers

    def _is_use_due(self, key: IngestKey) -> bool:
        now = self._clock()
        if now - self._recorded_at.get(key.id, float("-inf")) < LAST_USED_INTERVAL_SECONDS:
            return False
        self._recorded_at = {id: at for id, at in self._recorded_at.items() if now - at < LAST_USED_INTERVAL_SECONDS}
        self._recorded_at[key.id] = now
        return True


def _outcome(operation: Operation, answer: dict[str, Any]) -> Outcome:
    if "refused" not in answer:
        more = {name: value for name, value in answer.items() if name not in ("status", "id")}
        id = answer.get("id")
        return Answer(id=UUID(id) if id else None, is_new=answer["status"] == 201, more=more)
    state = answer["refused"]
    if state in CODES or state == "LW422":
        return IngestRefused(CODES.get(state, Code.INVALID), f"{answer['message']}", field=answer["field"])
    # The models validate all else; what remains are limits of the database's types.
    given = next((name for name in operation.body if name in (answer["constraint"] or "")), None)
    if operation.target is Target.STREAMS and "advance" in operation.body and given is None:
        given = "advance"
    logger.info("report out of range", target=operation.target, state=state, constraint=answer["constraint"])
    return IngestRefused(
        Code.INVALID,
        f"{given} is too large for the database." if given else "A value is too large for the database.",
        field=given,
    )


def _out_of_scope(operation: Operation) -> IngestRefused:
    return IngestRefused(
        Code.SCOPE,
        f"This key may not report {operation.target}: it lacks the scope {operation.scope.value!r}. An admin creates "
        "keys under Settings.",
    )


def _too_many(rate: Rate, wait: float) -> IngestRefused:
    return IngestRefused(
        Code.RATE,
        f"This key makes more than {rate.per_second:g} requests a second. Send again in "
        f"{max(1, math.ceil(wait))} s, or put many operations into one request to /batch.",
        retry_after=wait,
    )


def _unavailable(error: DatabaseUnavailable) -> IngestRefused:
    return IngestRefused(
        Code.UNAVAILABLE,
        f"Nothing was written; send the same request again. {error}",
        retry_after=UNAVAILABLE_RETRY_SECONDS,
    )


def _is_conflict(error: DatabaseUnavailable) -> bool:
    cause = getattr(error.__cause__, "orig", None)
    return isinstance(cause, pg.DeadlockDetected | pg.SerializationFailure)
