"""Ingest: writes reports as their key, under row-level security, with one round trip per transaction."""

import json
import math
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import structlog
from psycopg import errors as pg

from services.errors import DatabaseUnavailable, IngestRefused, PermissionDenied
from services.infra.database import Database
from services.infra.rate_limiter import Rate, RateLimiter
from services.ingest.group_commit import GroupCommit, RawAnswer
from services.ingest.grouping import group
from services.ingest.keys import ApiKeyVerifier, IngestKey
from services.ingest.operations import Code, KeyScope, Operation, Target
from services.ingest.timing import Timing

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

_INGEST = "select private.ingest(%(org)s, %(operations)s::jsonb, %(records_use)s)"


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
    """Authenticates requests and applies their operations; holds no resources to close.

    Single operations of one key that wait at the same time share a transaction; a request of several has its own.
    """

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
        self._group_commit = GroupCommit(self._write)
        self.counts: Counter[tuple[str, str]] = Counter()
        """Number of operations by target and result, which is `written` or an error code."""

    async def authenticate(self, token: str, timing: Timing | None = None, *, address: str = "") -> IngestKey:
        """Return the key of a request and count it; raises IngestRefused for a bad key or too many requests.

        Args:
            token: The token of the request.
            timing: Gets the seconds of the stage `auth`.
            address: IP address of the program, which is noted with the key's use; empty if unknown.
        """
        try:
            with (timing or Timing()).measure("auth"):
                key = await self._keys.verify(token)
            if wait := self._rate_limiter.acquire(key.id):
                raise _too_many(self._rate_limiter.rate, wait)
        except DatabaseUnavailable as error:
            raise _unavailable(error) from error
        except IngestRefused as refusal:
            self.counts["request", str(refusal.code)] += 1
            raise
        return replace(key, address=address) if address else key

    async def apply(
        self, key: IngestKey, operations: Sequence[Operation], timing: Timing | None = None
    ) -> list[Outcome]:
        """Apply operations in order, in one transaction; each fails by itself.

        Args:
            key: The authenticated key of the request.
            operations: The validated operations.
            timing: Gets the seconds of the stages `queue`, the wait for a transaction, and `db`.

        Returns:
            The outcome of each operation, in the same order.

        Raises:
            IngestRefused: Nothing was written, because the key was revoked or the database did not respond.
        """
        outcomes: list[Outcome | None] = [
            None if key.scopes.intersection(operation.scopes) else _out_of_scope(operation) for operation in operations
        ]
        wanted = [operation for operation, outcome in zip(operations, outcomes, strict=True) if outcome is None]
        answers = iter(await self._answers(key, wanted, timing or Timing()))
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
            await self._call(key, [], records_use=True)

    async def _answers(self, key: IngestKey, operations: Sequence[Operation], timing: Timing) -> list[RawAnswer]:
        if not operations:
            return []
        # Not of other scopes: the database refuses a key that lost one, and with it the whole transaction.
        if len(operations) == 1 and operations[0].scopes == (KeyScope.RUNS,):
            written = await self._group_commit.write(key, operations[0])
            timing.add("queue", written.queue_seconds)
            timing.add("db", written.database_seconds)
            return [written.answer]
        with timing.measure("db"):
            return await self._write(key, operations)

    async def _write(self, key: IngestKey, operations: Sequence[Operation]) -> list[RawAnswer]:
        """Write operations in a transaction; returns the database's answers in their order."""
        grouped = group(operations)
        answers = await self._call(key, grouped.elements, records_use=self._is_use_due(key))
        by_position = dict(zip(grouped.positions, answers, strict=True))
        return [by_position[position] for position in range(len(operations))]

    async def _call(
        self, key: IngestKey, elements: Sequence[Mapping[str, Any]], *, records_use: bool
    ) -> list[RawAnswer]:
        values = {"org": key.org_id, "operations": json.dumps(elements), "records_use": records_use}
        try:
            for attempt in range(1, MAX_ATTEMPTS + 1):
                try:
                    answers: list[RawAnswer] = await self._database.call(key, _INGEST, values)
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
        f"This key may not {operation.verb} {operation.target}: it lacks the scope "
        f"{' or '.join(repr(scope.value) for scope in operation.scopes)}. An admin creates keys under Settings.",
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
