"""The notes of a stream on its page: several people type into them at once."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from components.elements.notes.notes_editor import NotesEditor
from components.presentation.markdown import markdown_tree
from components.presentation.time import epoch_ms
from components.views.editing.notes import NotesView, update_fields
from pages.page.context import PageContext, failure_of
from services.entities import STREAMS
from services.errors import DatabaseUnavailable, LivewatchError
from services.notes.changes import parse_changes
from services.notes.documents import history, read_updates, snapshot_text
from services.realtime import CaretSignal, FeedStatus
from services.text import uuid_of

logger = structlog.get_logger(__name__)

MAX_NUMBER = 2**31 - 1
CONFIRM_SECONDS = 15.0
"""Seconds after its last change in which a hidden window is told of changes, of which one confirms it."""


class NotesPanel:
    """The notes of one stream in one window; ends with its slot."""

    def __init__(self, page: PageContext, stream: UUID) -> None:
        self._page = page
        self._stream = stream
        self._database = page.services.database
        self._connected_at: datetime | None = None
        self._is_pushing = False
        self._pushed_at = float("-inf")
        self._next_push: Mapping[str, Any] | None = None
        self._names: Mapping[UUID, str] = {}
        me = page.session.identity.user_id
        self.element = NotesEditor(
            label="Notes of this stream",
            storage=f"livewatch:notes:{me}:{stream}",
            filename=f"notes-{str(stream)[:8]}.md",
            writes=page.membership.may_write,
        )
        self._view = NotesView(self._is_wanted)
        self._binding = self.element.bind(page.window, self._view, deliver_when_hidden=True)
        self._watch = self._view.watch = page.services.notes.open(
            stream, page.session, on_change=lambda: self._binding.changed(()), on_caret=self._caret_moved
        )
        streams = page.window.subscribe(STREAMS, row_id=stream, on_status=self._status_changed)
        self.element.on_delete(self._watch.close, streams.close)
        self.element.on_sync(self._sync)
        self.element.on_fields("since", self._since)
        self.element.on_fields("push", self._push)
        self.element.on_fields("caret", self._move_caret)
        self.element.on("preview", self._preview)
        self.element.on("history", self._list_history)
        self.element.on_id("snapshot", self._show_snapshot)
        self.element.on_id("restore", self._restore)
        page.services.teams.names.follow(page.session, page.membership.org_id, self._show_members)

    def end(self) -> None:
        """Say that the stream was deleted."""
        self.element.end()

    def _is_wanted(self) -> bool:
        """Whether the window is visible, or was a moment ago, and waits for what confirms its last words."""
        return self._page.window.is_visible or time.monotonic() < self._pushed_at + CONFIRM_SECONDS

    def _show_members(self, names: Mapping[UUID, str]) -> None:
        self._names = names
        self.element.show_members(names)

    def _caret_moved(self, caret: CaretSignal) -> None:
        self._view.moved(caret)
        self._binding.changed(())

    def _status_changed(self, status: FeedStatus) -> None:
        """Read what was written while no broadcast arrived."""
        if status.connected_at and status.connected_at != self._connected_at:
            was_connected, self._connected_at = self._connected_at is not None, status.connected_at
            if was_connected:
                self._watch.refresh()

    async def _sync(self, version: int) -> None:
        """Go on from the version that the browser has."""
        try:
            await self._watch.authorize(version)
        except LivewatchError as error:
            self.element.fail(f"The notes could not be read: {error}")
            return
        self._view.synced(version if 0 <= version <= self._watch.document.version else None)
        self._binding.refresh()

    async def _since(self, fields: Mapping[str, Any]) -> None:
        version = fields.get("version")
        updates = None
        if self._watch.is_authorized and isinstance(version, int) and 0 <= version <= self._watch.document.version:
            updates = self._watch.document.updates_since(version)
            if updates is None:
                updates = await self._page.get(
                    read_updates(self._database, self._page.session.identity, self._stream, version)
                )
        known = None if updates is None else [update_fields(each) for each in updates]
        self.element.answer_since(str(fields.get("client")), known)

    async def _push(self, fields: Mapping[str, Any]) -> None:
        """Have changes written, one after the other.

        A browser has one on its way, but a broadcast may confirm that before the database has answered, and then the
        next arrives here. Only that waits; a browser sends again what it does not know the fate of.
        """
        self._next_push = fields
        if self._is_pushing:
            return
        self._is_pushing = True
        try:
            while self._next_push:
                given, self._next_push = self._next_push, None
                await self._write(given)
        finally:
            self._is_pushing = False

    async def _write(self, fields: Mapping[str, Any]) -> None:
        client, number, version = uuid_of(fields.get("client")), fields.get("number"), fields.get("version")
        if client is None or type(number) is not int or type(version) is not int or not 0 < number <= MAX_NUMBER:
            self.element.fail("The browser sent something that is no change of the notes.")
            return
        self._pushed_at = time.monotonic()
        saving = self._save(client, number, version, fields.get("changes"))
        failure = await failure_of(saving, not_yet="Not saved yet")
        self.element.settle(number, *(failure or ("written",)))

    async def _save(self, client: UUID, number: int, version: int, changes: object) -> None:
        await self._watch.push(client, number, version, parse_changes(changes))

    async def _move_caret(self, fields: Mapping[str, Any]) -> None:
        client = uuid_of(fields.get("client"))
        places = [fields.get(name) for name in ("version", "anchor", "head")]
        if client is None or not all(type(each) is int and 0 <= each <= MAX_NUMBER for each in places):
            return
        version, anchor, head = (int(each or 0) for each in places)
        try:
            await self._watch.move_caret(client, version=version, anchor=anchor, head=head)
        except DatabaseUnavailable as error:
            logger.info("caret not told", cause=str(error))

    async def _preview(self) -> None:
        if self._watch.is_authorized:
            origin = self._page.services.accounts.address
            self.element.show_preview(markdown_tree(str(self._watch.document.text), origin=origin, is_cached=False))

    async def _list_history(self) -> None:
        """List the versions, of which the text as it is now is the first."""
        found = await self._page.get(self._read_history())
        self.element.show_history(found or [])

    async def _read_history(self) -> list[dict[str, Any]]:
        await self._watch.document.fold()
        snapshots = await history(self._database, self._page.session.identity, self._stream)
        return [
            {
                "id": str(each.id),
                "at": epoch_ms(each.ended_at),
                "names": ", ".join(sorted(self._names.get(id, name) for id, name in each.authors.items())),
            }
            for each in snapshots
        ]

    async def _show_snapshot(self, id: str) -> None:
        if (snapshot := uuid_of(id)) and (words := await self._page.get(self._text(snapshot))) is not None:
            self.element.show_snapshot(snapshot, words)

    async def _restore(self, id: str) -> None:
        """Have the browser change its text to an earlier one; the text before stays in the history."""
        if not (snapshot := uuid_of(id)) or not self._watch.is_authorized:
            return
        words = await self._page.get(self._text(snapshot))
        if words is not None and await self._page.act(self._watch.document.fold(closes=True)):
            self.element.restore(words)

    async def _text(self, snapshot: UUID) -> str:
        return await snapshot_text(self._database, self._page.session.identity, self._stream, snapshot)
