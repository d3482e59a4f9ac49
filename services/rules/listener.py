"""Listeners: rules as the database has them, read once for each of their changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from services.errors import NotAccepted
from services.rules.rule import Rule

logger = structlog.get_logger(__name__)

MAX_KNOWN = 20_000
"""Rules that are kept parsed; beyond, all are parsed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A rule with its id, when it was created and changed, and until when it is snoozed."""

    id: str
    rule: Rule
    created_at: datetime
    changed_at: datetime
    snoozed_until: datetime | None

    @property
    def place(self) -> tuple[datetime, str]:
        """Its place in the order of creation."""
        return self.created_at, self.id

    def is_snoozed(self, now: datetime) -> bool:
        """Whether nothing fires now."""
        return self.snoozed_until is not None and self.snoozed_until > now


class Listeners:
    """The rules that were read; one that cannot be read is logged at each of its changes, and left out."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Listener | None]] = {}

    def of_record(self, record: Mapping[str, Any]) -> Listener | None:
        """Return the listener of a row of `public.rules`; None for one that cannot be read."""
        changed_at, listener = self._known.get(record["id"], ("", None))
        if changed_at != record["updated_at"]:
            try:
                listener = _parsed(record)
            except NotAccepted as error:
                # The others go on.
                logger.warning("rule not applied", rule=record["id"], cause=str(error))
                listener = None
            if len(self._known) >= MAX_KNOWN:
                # Most are of deleted rules, or of organisations that are silent.
                self._known.clear()
            self._known[record["id"]] = (record["updated_at"], listener)
        return listener


def _parsed(record: Mapping[str, Any]) -> Listener:
    until = record["snoozed_until"]
    return Listener(
        id=record["id"],
        rule=Rule.of_record(record),
        created_at=datetime.fromisoformat(record["created_at"]),
        changed_at=datetime.fromisoformat(record["updated_at"]),
        snoozed_until=datetime.fromisoformat(until) if until else None,
    )
