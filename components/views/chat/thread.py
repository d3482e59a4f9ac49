"""A thread of messages: the latest ones live, older ones on demand, and the runs that messages link to."""

from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from components.presentation.markdown import markdown_tree, runs_in
from components.presentation.time import epoch_ms
from components.views.chat.linked_runs import LinkedRuns
from components.window.batch import Batch
from services.entities import Message, Thread
from services.realtime import Delta
from services.text import visible_name

MAX_LIVE = 200
"""Latest messages that a window is sent again after it missed some."""


class ThreadView:
    """The messages of one thread as a browser shows them.

    Args:
        origin: URL of the app, below which links lead to runs.
        runs: The runs that messages link to.
    """

    def __init__(self, *, origin: str, runs: LinkedRuns) -> None:
        self.thread: Thread | None = None
        self.names: dict[UUID, str] = {}
        """Members of the organisation, by id."""
        self._origin = origin
        self._runs = runs
        self._messages: dict[int, Message] = {}
        """The latest, without a gap between their numbers."""
        self._has_older = False
        self._has_newer = False
        self._is_loaded = False
        self._first_sent = 0
        self._changed: dict[int, Message] = {}
        self._linked: set[tuple[str, str]] = set()
        self._sent_runs: dict[str, Any] = {}
        self._sent_state: dict[str, Any] = {}

    def load(self, messages: Iterable[Message], *, has_older: bool, has_newer: bool = False) -> None:
        """Take the latest messages of the thread in place of all, or a part of earlier ones if it `has_newer`."""
        # Changes that were not sent yet are told again after this, and must not be taken for known.
        self._changed = {}
        self._messages = {each.number: each for each in messages}
        self._first_sent = min(self._messages, default=0)
        self._has_older, self._has_newer, self._is_loaded = has_older, has_newer, True

    def older(self, messages: Iterable[Message]) -> list[dict[str, Any]]:
        """Return older messages as the browser takes them; it is told of their changes, too, from here on."""
        rows = list(messages)
        self._first_sent = min([self._first_sent, *(each.number for each in rows)])
        return [self.present(each) for each in rows]

    def changed(self, deltas: Iterable[Delta[Message]]) -> None:
        """Take messages that were written or changed; that older ones leave the feed changes nothing here."""
        first = min(self._messages, default=0)
        for delta in deltas:
            row = delta.new
            if row is None or row.number < self._first_sent or not self._is_news(row):
                continue
            self._changed[row.number] = row
            if row.number >= first:
                self._messages[row.number] = row
        if len(self._messages) > 2 * MAX_LIVE:
            self._messages = {number: self._messages[number] for number in sorted(self._messages)[-MAX_LIVE:]}
            self._has_older = True

    def _is_news(self, row: Message) -> bool:
        known = self._messages.get(row.number) or self._changed.get(row.number)
        if known is None:
            return not self._has_newer or row.number < max(self._messages, default=0)
        return known.version < row.version

    def full(self) -> Batch | None:
        """Return the latest messages, and all that is known about the thread; None before they were read."""
        if not self._is_loaded:
            return None
        numbers = sorted(self._messages)[-MAX_LIVE:]
        self._changed, self._sent_runs, self._sent_state, self._linked = {}, {}, {}, set()
        fields = {
            "all": [self.present(self._messages[number]) for number in numbers],
            "more": self._has_older or len(numbers) < len(self._messages),
            "detached": self._has_newer,
        }
        return {"set": {"thread": fields | self._state()}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """Return the messages that changed since, and what changed of their runs and of the thread."""
        if not self._is_loaded:
            return None
        messages = [self.present(row) for _, row in sorted(self._changed.items())]
        self._changed = {}
        fields: dict[str, Any] = ({"changed": messages} if messages else {}) | self._state()
        return {"set": {"thread": fields}} if fields else None

    def present(self, row: Message) -> dict[str, Any]:
        """Return a message as the browser takes it."""
        mentioned = [self.names[id] for id in row.mentions if id in self.names]
        tree = markdown_tree(row.body, origin=self._origin, names=mentioned)
        self._linked |= runs_in(tree)
        return {
            "id": str(row.id),
            "n": row.number,
            "v": row.version,
            "author": str(row.author_id),
            "name": visible_name(self.names.get(row.author_id, row.author_name)),
            "kind": row.kind.value,
            "at": epoch_ms(row.created_at),
            "body": row.body,
            "tree": tree,
            "reply_to": str(row.reply_to) if row.reply_to else None,
            "reactions": [
                [emoji, [str(id) for id in people], ", ".join(self.names.get(id, "Somebody") for id in people)]
                for emoji, people in row.reactions.items()
            ],
            "edited": row.edited_at is not None,
            "deleted": row.deleted_at is not None,
        }

    def _state(self) -> dict[str, Any]:
        """Return the runs and the state of the thread that differ from what was sent."""
        changed: dict[str, Any] = {}
        runs = {id: self._run(table, id) for table, id in self._linked}
        if runs != self._sent_runs:
            changed["runs"] = self._sent_runs = runs
        state = self._thread_state()
        if state != self._sent_state:
            changed["state"] = self._sent_state = state
        return changed

    def _thread_state(self) -> dict[str, Any]:
        thread = self.thread
        if thread is None:
            return {"handling": "open"}
        return {
            "handling": thread.handling.value,
            "tone": thread.handling.style.tone,
            "label": thread.handling.style.label,
            "handler": str(thread.handler_id),
            "handler_name": visible_name(self.names.get(thread.handler_id, thread.handler_name))
            if thread.handler_id and thread.handler_name
            else None,
            "at": epoch_ms(thread.handled_at),
            "until": epoch_ms(thread.snoozed_until),
            "last": thread.last_number,
        }

    def _run(self, table: str, id: str) -> dict[str, Any] | None:
        """Return name and status of a run that is held here; None for any other."""
        found = self._runs.get(table, id)
        if found is None:
            return None
        entity, row = found
        status = entity.layout.status(row)
        return {
            "name": visible_name(entity.layout.title(row)),
            "status": status.style.label if status else "",
            "tone": status.style.tone if status else "neutral",
        }
