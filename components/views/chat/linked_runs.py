"""The runs that messages link to."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

from components.window.window import Window
from services.entities import AGENTS, SCANS, STREAMS, Entity, Row
from services.realtime import Subscription

LINKED = {entity.table: entity for entity in (STREAMS, SCANS, AGENTS)}


class LinkedRuns:
    """Subscriptions on the runs that were asked for, begun with the first of their table. Close with `close`.

    Args:
        window: The window that shows the messages.
        on_change: Called when one of these runs is known, or has changed.
    """

    def __init__(self, window: Window, on_change: Callable[[], None]) -> None:
        self._window = window
        self._on_change = on_change
        self._ids: set[UUID] = set()
        self._subscriptions: dict[str, Subscription[Any] | None] = {}
        self._is_closed = False

    def get(self, table: str, id: str) -> tuple[Entity[Any], Row] | None:
        """Return a run and its entity; None if it is not held here, or not known yet."""
        if table not in LINKED:
            return None
        self._ids.add(UUID(id))
        if table not in self._subscriptions:
            self._subscriptions[table] = None
            # Not within the frame that asks.
            asyncio.get_running_loop().call_soon(self._follow, table)
        subscription = self._subscriptions[table]
        row = subscription.get(UUID(id)) if subscription else None
        return (LINKED[table], row) if row else None

    def close(self) -> None:
        """End the subscriptions; idempotent."""
        self._is_closed = True
        for subscription in self._subscriptions.values():
            if subscription:
                subscription.close()

    def _follow(self, table: str) -> None:
        if not self._is_closed:
            self._subscriptions[table] = self._window.subscribe(
                LINKED[table], where=lambda row: row.id in self._ids, on_change=lambda _: self._on_change()
            )
            self._on_change()
