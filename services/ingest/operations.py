"""What a program may ask for: one operation on one target, and the codes by which it is refused."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class KeyScope(StrEnum):
    """What a key may report."""

    RUNS = "runs"
    ALERTS = "alerts"
    NOTIFICATIONS = "notifications"


class Target(StrEnum):
    """What an operation is about, by the name in its path."""

    STREAMS = "streams"
    SCANS = "scans"
    AGENTS = "agents"
    ALERTS = "alerts"
    NOTIFICATIONS = "notifications"
    LOGS = "logs"
    HEARTBEATS = "heartbeats"


class Verb(StrEnum):
    """What is to be done."""

    REPORT = "report"
    FINISH = "finish"


class Code(StrEnum):
    """Why a report was not taken."""

    MALFORMED = "malformed"
    BAD_KEY = "bad_key"
    SCOPE = "scope"
    NOT_FOUND = "not_found"
    FINISHED = "finished"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    TOO_LARGE = "too_large"
    INVALID = "invalid"
    RATE = "rate"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One write; `body` is validated and holds only what the program gave, as JSON values.

    `slug` names the run where the target has one. Under an `idempotency_key` it is done once within a day.
    """

    target: Target
    verb: Verb = Verb.REPORT
    slug: str | None = None
    body: Mapping[str, Any]
    idempotency_key: str | None = None

    @property
    def scope(self) -> KeyScope:
        """What a key needs for it."""
        if self.target in (Target.ALERTS, Target.NOTIFICATIONS):
            return KeyScope(self.target.value)
        return KeyScope.RUNS

    def as_json(self) -> dict[str, Any]:
        """As `private.ingest` of the database takes it."""
        operation = {"target": self.target, "verb": self.verb, "slug": self.slug, "body": self.body}
        if self.idempotency_key is None:
            return operation
        request = json.dumps(operation, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(request.encode()).hexdigest()
        return {**operation, "idempotency_key": self.idempotency_key, "hash": digest}
