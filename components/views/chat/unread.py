"""Threads of an organisation for one person: what is unread, latest first."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from components.presentation.time import epoch_ms
from components.window.batch import Batch
from services.entities import ReadPosition, Thread, Topical
from services.realtime import Subscription
from services.text import visible_name

MAX_LISTED = 100


class UnreadThreads:
    """Numbers of unread messages: of the organisation's chat, and of threads in which the person has been."""

    def __init__(self, threads: Subscription[Thread], positions: Subscription[ReadPosition]) -> None:
        self._threads = threads
        self._positions = positions

    @property
    def is_loaded(self) -> bool:
        """Whether the numbers are known."""
        return self._threads.is_loaded and self._positions.is_loaded

    def by_thread(self) -> list[tuple[Thread, int]]:
        """Return each thread with its number, the latest first."""
        read = {row.thread_id: row.number for row in self._positions.rows()}
        threads = sorted(self._threads.rows(), key=lambda thread: thread.last_at or thread.created_at, reverse=True)  # type: ignore[arg-type,return-value]
        return [(thread, self._unread(thread, read.get(thread.id))) for thread in threads]

    def total(self) -> int:
        """Return the sum over all threads."""
        return sum(number for _, number in self.by_thread())

    @staticmethod
    def _unread(thread: Thread, read: int | None) -> int:
        if read is None:
            return thread.last_number if thread.subject_table is Topical.ORGANIZATION else 0
        return max(0, thread.last_number - read)


class UnreadCountView:
    """The sum as the value of a count badge."""

    def __init__(self, unread: UnreadThreads, key: str) -> None:
        self._unread = unread
        self._key = key
        self._sent: int | None = None

    def full(self) -> Batch | None:
        """See `View.full`."""
        self._sent = None
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """See `View.patch`."""
        if not self._unread.is_loaded or (total := self._unread.total()) == self._sent:
            return None
        self._sent = total
        return {"set": {self._key: {"value": total, "at_least": False}}}


class ThreadsView:
    """The list of threads beside the chat."""

    def __init__(self, unread: UnreadThreads) -> None:
        self._unread = unread
        self._sent: list[dict[str, Any]] | None = None

    def full(self) -> Batch | None:
        """See `View.full`."""
        self._sent = None
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """See `View.patch`."""
        if not self._unread.is_loaded:
            return None
        listed = self._unread.by_thread()[:MAX_LISTED]
        rows = [
            {
                "about": thread.about,
                "table": thread.subject_table.value,
                "name": visible_name(thread.subject_name),
                "at": epoch_ms(thread.last_at),
                "unread": number,
                "handling": thread.handling.style.label if thread.handling.value != "open" else "",
                "tone": thread.handling.style.tone,
                "handler": visible_name(thread.handler_name or ""),
            }
            for thread, number in listed
            if thread.subject_table is not Topical.ORGANIZATION
        ]
        if rows == self._sent:
            return None
        self._sent = rows
        return {"set": {"threads": {"all": rows}}}
