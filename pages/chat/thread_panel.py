"""A thread on a page: reads it, follows it, and writes what the user does."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from components.elements.chat.thread import ThreadElement
from components.views.chat.linked_runs import LinkedRuns
from components.views.chat.thread import ThreadView
from pages.page.context import PageContext, failure_of
from services.chat import messages
from services.chat.messages import PAGE_MESSAGES, NewMessage, Subject
from services.entities import (
    MESSAGES,
    READ_POSITIONS,
    THREADS,
    Handling,
    Message,
    Thread,
    Topical,
)
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads
from services.presence.typing import Typist
from services.realtime import Delta, FeedStatus
from services.text import is_blank, uuid_of, visible_name

GONE = "What this is about was deleted, and its messages with it."


class ThreadPanel:
    """One thread in one window; ends with its slot.

    Args:
        page: The page that is being built.
        subject: What the thread is about.
        label: The same in words, for screen readers.
        at: Number of the message to show first; the latest by default.
        on_name: Called with the name of a run or an alert that the thread is about, once it is known.
    """

    def __init__(
        self,
        page: PageContext,
        subject: Subject,
        label: str,
        *,
        at: int | None = None,
        on_name: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._at = at
        self._page = page
        self._subject = subject
        self._me = page.session.identity.user_id
        self._org = page.membership.org_id
        self._database = page.services.database
        self._thread: UUID | None = None
        self._on_name = on_name
        self._reloads = Reloads(self._read, name=f"thread of {subject}", on_failure=self._not_read)
        self._connected_at: datetime | None = None
        self.element = ThreadElement(
            me=self._me,
            label=label,
            storage=f"livewatch:chat:{self._me}:{subject}",
            writes=page.membership.may_write,
            is_admin=page.membership.is_admin,
            handles=subject.table is not Topical.ORGANIZATION,
        )
        self._binding = self.element.bind(page.window)
        runs = LinkedRuns(page.window, lambda: self._binding.changed(()))
        self._view = self._binding.view = ThreadView(origin=page.services.accounts.address, runs=runs)
        self._threads = page.window.subscribe(THREADS, where=self._is_mine, on_change=self._threads_changed)
        self._positions = page.window.subscribe(READ_POSITIONS)
        self._messages = page.window.subscribe(
            MESSAGES,
            where=lambda row: row.thread_id == self._thread,
            on_change=self._messages_changed,
            on_status=self._status_changed,
        )
        held = (runs, self._threads, self._positions, self._messages, self._reloads)
        self.element.on_delete(*(each.close for each in held))
        self.element.on("live", self._reloads.request)
        self.element.on_post(self._post)
        self.element.on_edit(self._edit)
        self.element.on_remove(self._remove)
        self.element.on_react(self._react)
        self.element.on_handle(self._handle)
        self.element.on_number("read", self._read_to)
        self.element.on_number("older", self._older)
        typing = page.services.typing
        self.element.on_typing(lambda: typing.report(page.session, self._org, str(subject)))
        watch = typing.watch(self._org, str(subject), self._show_typists, me=self._me)
        self.element.on_delete(watch.close)
        self.element.on("gap", self._reloads.request)
        self.element.on("latest", lambda: self.show(None))
        page.services.teams.names.follow(page.session, self._org, self._show_members)

    def _is_mine(self, thread: Thread) -> bool:
        return thread.subject_id == self._subject.id and thread.subject_table is self._subject.table

    def _show_members(self, names: Mapping[UUID, str]) -> None:
        self._view.names = dict(names)
        self.element.show_members(names)
        self._binding.refresh()

    def _threads_changed(self, deltas: list[Delta[Thread]]) -> None:
        for delta in deltas:
            self._view.thread = delta.new
            if delta.new and self._subject.table is not Topical.ORGANIZATION:
                self._on_name(visible_name(delta.new.subject_name))
            if delta.new is None and delta.old:
                # The feed holds the threads that were written to last; an old one that left it is there still.
                self._reloads.request()
            elif delta.new and self._thread is None:
                self._reloads.request()
        self._binding.changed(deltas)

    def _show_typists(self, typists: Sequence[Typist]) -> None:
        self.element.show_typing([visible_name(each.name) for each in typists])

    def _messages_changed(self, deltas: list[Delta[Message]]) -> None:
        for delta in deltas:
            if delta.new and delta.old is None:
                self._page.services.typing.stopped(self._org, delta.new.author_id, str(self._subject))
        self._view.changed(deltas)
        self._binding.changed(deltas)

    def _status_changed(self, status: FeedStatus) -> None:
        """Read again after a loss: more messages may have been written than the feed holds."""
        if status.connected_at and status.connected_at != self._connected_at:
            was_connected, self._connected_at = self._connected_at is not None, status.connected_at
            if was_connected:
                self._reloads.request()

    def _not_read(self, error: LivewatchError) -> None:
        self.element.fail(f"The messages could not be read: {error}")

    async def _read(self) -> None:
        identity = self._page.session.identity
        found = await messages.thread_id(self._database, identity, self._org, self._subject)
        if found is None and self._thread:
            self.element.fail(GONE)
        self._thread = found
        rows = await self._page_of(found, self._at) if found else []
        last = self._view.thread.last_number if self._view.thread else 0
        is_part = self._at is not None and bool(rows) and rows[-1].number < last
        self._view.load(rows, has_older=bool(rows) and rows[0].number > 1, has_newer=is_part)
        # Messages of this thread that came before its id was known.
        self._view.changed([Delta(id=row.id, old=None, new=row) for row in self._messages.rows()])
        position = next((row.number for row in self._positions.rows() if row.thread_id == found), 0)
        self.element.begin(position if self._positions.is_loaded else 2**31)
        self._binding.refresh()
        if self._at is not None:
            self.element.jump(self._at)

    async def _page_of(self, thread: UUID, number: int | None) -> list[Message]:
        """Read the latest messages, or those around a number."""
        before = None if number is None else number + PAGE_MESSAGES // 2
        return await messages.page(self._database, self._page.session.identity, thread, before=before)

    def show(self, number: int | None) -> None:
        """Show the messages around a number, or the latest."""
        self._at = number
        if self._connected_at or self._thread:
            self._reloads.request()

    async def _older(self, before: int) -> None:
        if self._thread is None:
            return
        identity = self._page.session.identity
        rows = await self._page.get(messages.page(self._database, identity, self._thread, before=before))
        if rows is not None:
            self.element.add_older(self._view.older(rows), more=len(rows) == PAGE_MESSAGES)

    async def _read_to(self, number: int) -> None:
        if self._thread is not None:
            try:
                await messages.mark_read(self._database, self._page.session.identity, self._thread, number)
            except LivewatchError as error:
                self.element.fail(f"That you have read this could not be noted: {error}")

    async def _post(self, fields: Mapping[str, Any]) -> None:
        id = str(fields.get("id"))
        try:
            draft = _draft(fields)
        except (TypeError, ValueError):
            self.element.settle(id, "refused", "The browser sent something that is no message.")
            return
        if is_blank(draft.body):
            self.element.settle(id, "refused", "A message needs a text.")
            return
        identity = self._page.session.identity
        posting = messages.post(self._database, identity, self._org, self._subject, draft)
        if failure := await failure_of(posting, not_yet="Not sent yet"):
            self.element.settle(id, *failure)
            return
        self.element.settle(id, "sent")
        if self._thread is None:
            self._reloads.request()

    async def _edit(self, fields: Mapping[str, Any]) -> None:
        if id := uuid_of(fields.get("id")):
            body = str(fields.get("body"))
            if is_blank(body):
                self.element.fail("A message needs a text. Delete it instead.")
                return
            await self._do(messages.edit(self._database, self._page.session.identity, id, body))

    async def _remove(self, id: str) -> None:
        if message := uuid_of(id):
            await self._do(messages.delete(self._database, self._page.session.identity, message))

    async def _react(self, fields: Mapping[str, Any]) -> None:
        if id := uuid_of(fields.get("id")):
            emoji, is_on = str(fields.get("emoji")), fields.get("on") is True
            await self._do(messages.react(self._database, self._page.session.identity, id, emoji, is_on=is_on))

    async def _handle(self, fields: Mapping[str, Any]) -> None:
        try:
            handling = Handling(str(fields.get("handling")))  # type: ignore[call-arg]
            hours = float(fields.get("hours") or 1)
        except (TypeError, ValueError):
            return
        until = datetime.now(UTC) + timedelta(hours=hours) if handling is Handling.SNOOZED and 0 < hours <= 24 else None
        identity, note = self._page.session.identity, str(fields.get("note") or "")[:2000]
        await self._do(
            messages.handle(self._database, identity, self._org, self._subject, handling, note=note, until=until)
        )

    async def _do(self, work: Awaitable[object]) -> None:
        try:
            await work
        except LivewatchError as error:
            self.element.fail(str(error))


def _draft(fields: Mapping[str, Any]) -> NewMessage:
    """Read a message of the browser; raises TypeError or ValueError."""
    body, reply_to, mentions = fields.get("body"), fields.get("reply_to"), fields.get("mentions") or []
    if not isinstance(body, str) or not isinstance(mentions, list):
        raise TypeError("A message is a text.")
    return NewMessage(
        id=UUID(str(fields.get("id"))),
        body=body,
        reply_to=UUID(str(reply_to)) if reply_to else None,
        mentions=[UUID(str(each)) for each in mentions[:50]],
    )
