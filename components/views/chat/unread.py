"""Threads of an organisation for one person: what is unread, latest first."""

from collections.abc import Callable, Collection
from heapq import nlargest
from typing import Any
from uuid import UUID

from components.presentation.time import epoch_ms
from components.window.batch import Batch
from components.window.window import Window
from services.entities import READ_POSITIONS, THREADS, ReadPosition, Thread, Topical
from services.realtime import Delta
from services.text import visible_name

MAX_LISTED = 100


class UnreadThreads:
    """Numbers of unread messages: of the organisation's chat, and of threads in which the person has been.

    Counted by what changes, so that a message costs a window the same however many threads there are, and once for all
    elements of the window. Close with `close`.

    Args:
        window: The window whose organisation and user are meant.
    """

    def __init__(self, window: Window) -> None:
        self.total = 0
        """The sum over all threads."""
        self._listeners: list[Callable[[], object]] = []
        self._threads: dict[UUID, Thread] = {}
        self._read: dict[UUID, int] = {}
        self._unread: dict[UUID, int] = {}
        self._subscriptions = (
            window.subscribe(THREADS, on_change=self._threads_changed),
            window.subscribe(READ_POSITIONS, on_change=self._positions_changed),
        )

    @property
    def is_loaded(self) -> bool:
        """Whether the numbers are known."""
        return all(each.is_loaded for each in self._subscriptions)

    def listen(self, handler: Callable[[], object]) -> Callable[[], None]:
        """Call `handler` after each change of a thread or of a read position; returns what ends that."""
        self._listeners.append(handler)
        return lambda: self._listeners.remove(handler)

    def latest(self, limit: int) -> list[tuple[Thread, int]]:
        """Return the threads that were written to last, each with its number."""
        threads = nlargest(limit, self._threads.values(), key=lambda thread: epoch_ms(thread.last_at) or 0)
        return [(thread, self._unread.get(thread.id, 0)) for thread in threads]

    def close(self) -> None:
        """End the subscriptions; idempotent."""
        for each in self._subscriptions:
            each.close()

    def _threads_changed(self, deltas: list[Delta[Thread]]) -> None:
        for delta in deltas:
            if delta.new:
                self._threads[delta.id] = delta.new
            else:
                self._threads.pop(delta.id, None)
            self._count(delta.id)
        self._tell()

    def _positions_changed(self, deltas: list[Delta[ReadPosition]]) -> None:
        for delta in deltas:
            if delta.new:
                self._read[delta.new.thread_id] = delta.new.number
                self._count(delta.new.thread_id)
            elif delta.old:
                self._read.pop(delta.old.thread_id, None)
                self._count(delta.old.thread_id)
        self._tell()

    def _tell(self) -> None:
        for handler in list(self._listeners):
            handler()

    def _count(self, id: UUID) -> None:
        thread, read = self._threads.get(id), self._read.get(id)
        if thread is None or (read is None and thread.subject_table is not Topical.ORGANIZATION):
            unread = 0
        else:
            unread = max(0, thread.last_number - (read or 0))
        self.total += unread - self._unread.pop(id, 0)
        if unread:
            self._unread[id] = unread


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
        if not self._unread.is_loaded or (total := self._unread.total) == self._sent:
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
        listed = self._unread.latest(MAX_LISTED)
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
