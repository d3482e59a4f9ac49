"""Operations of the ingest API, their targets and scopes, and the error codes."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.errors import IngestRefused


class KeyScope(StrEnum):
    """Permission of a key: to report to a group of targets, to read runs, or to close, archive and delete them."""

    RUNS = "runs"
    ALERTS = "alerts"
    NOTIFICATIONS = "notifications"
    READ = "read"
    COMMANDS = "commands"


REPORTING = (KeyScope.RUNS, KeyScope.ALERTS, KeyScope.NOTIFICATIONS)
"""Scopes of a key of a program that reports; with `runs` it may also read, close, archive and delete runs."""


class Target(StrEnum):
    """Target of an operation, as named in the request path."""

    STREAMS = "streams"
    SCANS = "scans"
    AGENTS = "agents"
    ALERTS = "alerts"
    NOTIFICATIONS = "notifications"
    LOGS = "logs"
    METRICS = "metrics"
    HEARTBEATS = "heartbeats"


class Verb(StrEnum):
    """Action of an operation."""

    REPORT = "report"
    FINISH = "finish"
    CLOSE = "close"
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    DELETE = "delete"
    PING = "ping"


class Code(StrEnum):
    """Error code of a rejected request."""

    MALFORMED = "malformed"
    WRONG_METHOD = "wrong_method"
    BAD_KEY = "bad_key"
    SCOPE = "scope"
    NOT_FOUND = "not_found"
    FINISHED = "finished"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    RATE = "rate"
    UNAVAILABLE = "unavailable"


COMMANDS = (Verb.CLOSE, Verb.ARCHIVE, Verb.UNARCHIVE, Verb.DELETE)
"""What is done to a run by others than the program that reports it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One write to one target.

    Args:
        target: Target of the write.
        verb: Action on the target.
        slug: Slug of the run; None for targets that are not runs.
        body: Validated JSON values, only the fields that the client sent.
        idempotency_key: Operations with the same key are applied once within a day.
        age: Seconds since the program made the report.
        made_at: Time of that by the program's clock, in ISO 8601; corrects the times in the body.
        ignored: Fields of the body that were left out since they are invalid.
    """

    target: Target
    verb: Verb = Verb.REPORT
    slug: str | None = None
    body: Mapping[str, Any]
    idempotency_key: str | None = None
    age: float | None = None
    made_at: str | None = None
    ignored: tuple[IngestRefused, ...] = ()

    @property
    def scopes(self) -> tuple[KeyScope, ...]:
        """Scopes of which the operation requires one."""
        if self.target in (Target.ALERTS, Target.NOTIFICATIONS):
            return (KeyScope(self.target.value),)
        return (KeyScope.RUNS, KeyScope.COMMANDS) if self.verb in COMMANDS else (KeyScope.RUNS,)

    def as_json(self) -> dict[str, Any]:
        """Return the operation in the format of the SQL function `private.ingest`."""
        operation = {"target": self.target, "verb": self.verb, "slug": self.slug, "body": self.body}
        # Not part of the hash: it grows until the operation arrives.
        times = {} if self.age is None else {"age": self.age, "made_at": self.made_at}
        if self.idempotency_key is None:
            return {**operation, **times}
        request = json.dumps(operation, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(request.encode()).hexdigest()
        return {**operation, **times, "idempotency_key": self.idempotency_key, "hash": digest}
