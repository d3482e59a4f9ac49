"""Takes what programs report: as their key, under row-level security, a request in one statement."""

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

# Batches that touch the same runs in different orders may wait for each other; PostgreSQL then ends one of them.
ATTEMPTS = 4
USED_INTERVAL = 60.0
RETRY_AFTER = 2.0
CODES = {
    "LW404": Code.NOT_FOUND,
    "LW409": Code.FINISHED,
    "55000": Code.FINISHED,
    "LW4IC": Code.IDEMPOTENCY_CONFLICT,
}

_INGEST = text("select private.ingest(:org, cast(:operations as jsonb), :touch)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was written: the row `id`, and whether it is new. `more` is what else the target tells, as JSON values."""

    id: UUID | None
    is_new: bool
    more: dict[str, Any] = field(default_factory=dict)


Outcome = Answer | IngestRefused


class Ingest:
    """The reports of all keys; needs no closing. `authenticate` each request, then `apply` what it asks for."""

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
        self._used: dict[UUID, float] = {}
        self.counts: Counter[tuple[str, str]] = Counter()
        """How many reports were answered how: by target, and `written` or the code of the refusal."""

    async def authenticate(self, token: str) -> IngestKey:
        """The key of a request, which is counted; raises IngestRefused for a bad key and for too many requests."""
        try:
            key = await self._keys.verify(token)
            if wait := self._rate_limiter.acquire(key.id):
                raise _too_many(self._rate_limiter.rate, wait)
        except DatabaseUnavailable as error:
            raise _unavailable() from error
        except IngestRefused as refusal:
            self.counts["request", str(refusal.code)] += 1
            raise
        return key

    async def apply(self, key: IngestKey, operations: Sequence[Operation]) -> list[Outcome]:
        """Do the operations in their order in one transaction, each in a savepoint; an outcome for each.

        Raises IngestRefused when none could be done: the key was revoked just now, or the database does not answer.
        """
        outcomes: list[Outcome | None] = [
            None if operation.scope in key.scopes else _out_of_scope(operation) for operation in operations
        ]
        wanted = [operation for operation, outcome in zip(operations, outcomes, strict=True) if outcome is None]
        answers = iter(await self._write(key, wanted, note=self._is_to_be_noted(key)) if wanted else [])
        answered = [
            outcome or _outcome(operation, next(answers))
            for operation, outcome in zip(operations, outcomes, strict=True)
        ]
        for operation, answer in zip(operations, answered, strict=True):
            result = str(answer.code) if isinstance(answer, IngestRefused) else "written"
            self.counts[operation.target.value, result] += 1
        return answered

    async def touch(self, key: IngestKey) -> None:
        """Note that the key is in use, at most once a minute."""
        if self._is_to_be_noted(key):
            await self._write(key, [], note=True)

    async def _write(self, key: IngestKey, operations: Sequence[Operation], *, note: bool) -> list[dict[str, Any]]:
        values = {
            "org": key.org_id,
            "operations": json.dumps([operation.as_json() for operation in operations]),
            "touch": note,
        }
        try:
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    async with self._database.as_user(key) as session:
                        written = await (await session.connection()).execute(_INGEST, values)
                        answers: list[dict[str, Any]] = written.scalar_one()
                    break
                except DatabaseUnavailable as error:
                    if attempt == ATTEMPTS or not _is_conflict(error):
                        raise
        except PermissionDenied as error:
            self._used.pop(key.id, None)
            raise IngestRefused(Code.BAD_KEY, "This key was revoked; an admin makes another under Settings.") from error
        except DatabaseUnavailable as error:
            self._used.pop(key.id, None)
            raise _unavailable() from error
        return answers

    def _is_to_be_noted(self, key: IngestKey) -> bool:
        now = self._clock()
        if now - self._used.get(key.id, float("-inf")) < USED_INTERVAL:
            return False
        self._used = {id: at for id, at in self._used.items() if now - at < USED_INTERVAL}
        self._used[key.id] = now
        return True


def _outcome(operation: Operation, answer: dict[str, Any]) -> Outcome:
    if "refused" not in answer:
        more = {name: value for name, value in answer.items() if name not in ("status", "id")}
        id = answer.get("id")
        return Answer(id=UUID(id) if id else None, is_new=answer["status"] == 201, more=more)
    state = answer["refused"]
    if state in CODES or state == "LW422":
        return IngestRefused(CODES.get(state, Code.INVALID), f"{answer['message']}", field=answer["field"])
    # The models check what they can; what is left depends on how the database stores a value.
    given = next((name for name in operation.body if name in (answer["constraint"] or "")), None)
    if operation.target is Target.STREAMS and "advance" in operation.body and given is None:
        given = "advance"
    logger.info("a report does not fit", target=operation.target, state=state, constraint=answer["constraint"])
    return IngestRefused(
        Code.INVALID,
        f"{given} is too large for the database." if given else "A value is too large for the database.",
        field=given,
    )


def _out_of_scope(operation: Operation) -> IngestRefused:
    return IngestRefused(
        Code.SCOPE,
        f"This key may not report {operation.target}: it lacks the scope {operation.scope.value!r}. An admin makes a "
        "key that has it under Settings.",
    )


def _too_many(rate: Rate, wait: float) -> IngestRefused:
    return IngestRefused(
        Code.RATE,
        f"This key makes more than {rate.per_second:g} requests a second. Send again in "
        f"{max(1, math.ceil(wait))} s, or put many operations into one request to /batch.",
        retry_after=wait,
    )


def _unavailable() -> IngestRefused:
    return IngestRefused(
        Code.UNAVAILABLE, "The database does not answer now; send the same again.", retry_after=RETRY_AFTER
    )


def _is_conflict(error: DatabaseUnavailable) -> bool:
    cause = getattr(error.__cause__, "orig", None)
    return isinstance(cause, pg.DeadlockDetected | pg.SerializationFailure)
