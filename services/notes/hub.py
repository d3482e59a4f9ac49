"""The documents that windows of this process have open, each once for all of them."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.errors import LivewatchError, SessionExpired
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.infra.tasks.coalescer import Reloads
from services.notes.changes import ChangeSet
from services.notes.documents import DraftUpdate, Update, read_version, report_caret
from services.notes.live_document import LiveDocument
from services.realtime import CaretSignal, NotesSignal, Subscriber

logger = structlog.get_logger(__name__)

LINGER_SECONDS = 5.0
"""Seconds that a document outlives its last window, so that a reload reads nothing."""
RECHECK_SECONDS = 60.0
"""Seconds between two looks for updates whose broadcast was lost."""
CARET_INTERVAL_SECONDS = 0.2
"""Minimum seconds between two signals of a window's caret; the browser keeps a longer one."""


class NotesHub:
    """Opens documents, and hands them the signals of Realtime. Close with `aclose`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._open: dict[UUID, _OpenDocument] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def open(
        self,
        stream: UUID,
        session: Subscriber,
        *,
        on_change: Callable[[], object],
        on_caret: Callable[[CaretSignal], object] = lambda _: None,
    ) -> "DocumentWatch":
        """Open the notes of a stream for a window; nothing is known before `DocumentWatch.authorize`.

        Args:
            stream: Whose notes.
            session: Who reads and writes.
            on_change: Called after each change of the version.
            on_caret: Called with each caret that a member moves.
        """
        if stream not in self._open:
            self._open[stream] = _OpenDocument(self._database, stream)
        document = self._open[stream]
        watch = DocumentWatch(
            self._database, document, session, on_change=on_change, on_caret=on_caret, on_close=self._leave
        )
        document.join(watch)
        return watch

    def received(self, signal: NotesSignal | CaretSignal) -> None:
        """Take a signal; those of documents that nobody here has open cost nothing."""
        if document := self._open.get(signal.stream_id):
            document.received(signal)

    async def aclose(self) -> None:
        """Write what waits, and store the texts; idempotent."""
        documents, self._open = list(self._open.values()), {}
        await asyncio.gather(*(each.aclose() for each in documents), *self._closing, return_exceptions=True)

    async def __aenter__(self) -> "NotesHub":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _leave(self, document: "_OpenDocument") -> None:
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close, document)

    def _close(self, document: "_OpenDocument") -> None:
        if not document.watches and self._open.get(document.stream) is document:
            del self._open[document.stream]
            task = create_shared_task(document.aclose(), name=f"closing the notes of {document.stream}")
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)


class DocumentWatch:
    """One window's hold on a document; `close` it."""

    def __init__(
        self,
        database: Database,
        document: "_OpenDocument",
        session: Subscriber,
        *,
        on_change: Callable[[], object],
        on_caret: Callable[[CaretSignal], object],
        on_close: Callable[["_OpenDocument"], object],
    ) -> None:
        self.session = session
        self.on_change = on_change
        self.on_caret = on_caret
        self.is_authorized = False
        """Whether the database has confirmed that this user may read the document."""
        self._database = database
        self._document = document
        self._on_close = on_close
        self._next_caret = float("-inf")

    @property
    def document(self) -> LiveDocument:
        """The document; only for a window that is authorised."""
        return self._document.live

    async def authorize(self, version: int = 0) -> None:
        """Have the database confirm that the user may read, and read at least up to `version`.

        Raises:
            NotFound: There is no such stream, or none that the user may read.
            DatabaseUnavailable: It may be tried again.
        """
        identity = self.session.identity
        live = self._document.live
        if not live.is_loaded or version > live.version:
            await live.refresh(identity)
        else:
            await read_version(self._database, identity, self._document.stream)
        self.is_authorized = True

    async def push(self, client: UUID, number: int, version: int, changes: ChangeSet) -> None:
        """Have a change of this window's user written; see `LiveDocument.push`, which also says what it raises."""
        author = self.session.identity.user_id
        await self._document.live.push(
            DraftUpdate(author=author, client=client, number=number, version=version, changes=changes)
        )

    def refresh(self) -> None:
        """Read what may have been missed, in the background."""
        self._document.reloads.request()

    async def move_caret(self, client: UUID, *, version: int, anchor: int, head: int) -> None:
        """Tell the others where this window's caret is, unless it was told just now; raises DatabaseUnavailable."""
        now = asyncio.get_running_loop().time()
        if now < self._next_caret:
            return
        self._next_caret = now + CARET_INTERVAL_SECONDS
        person = self.session.identity.user_id
        await report_caret(
            self._database, self._document.stream, person, client, version=version, anchor=anchor, head=head
        )

    def close(self) -> None:
        """End the hold; idempotent."""
        if self in self._document.watches:
            self._document.watches.remove(self)
            if not self._document.watches:
                self._on_close(self._document)


class _OpenDocument:
    """A document, its windows, and the reads after a gap."""

    def __init__(self, database: Database, stream: UUID) -> None:
        self.stream = stream
        self.watches: list[DocumentWatch] = []
        self.live = LiveDocument(database, stream, identity=self._identity, on_change=self._changed)
        self.reloads = Reloads(self._refresh, name=f"updates of {stream}", on_failure=self._not_read)
        self._recheck: asyncio.TimerHandle | None = None

    def join(self, watch: DocumentWatch) -> None:
        self.watches.append(watch)
        if self._recheck is None:
            self._recheck = asyncio.get_running_loop().call_later(RECHECK_SECONDS, self._check_again)

    def received(self, signal: NotesSignal | CaretSignal) -> None:
        if isinstance(signal, CaretSignal):
            for watch in self._authorized():
                watch.on_caret(signal)
        elif self.live.is_loaded:
            is_whole = self.live.take([Update.read(each) for each in signal.updates])
            if not is_whole or self.live.version < signal.version:
                self.reloads.request()

    async def aclose(self) -> None:
        """Write and store what is to be."""
        self.reloads.close()
        if self._recheck:
            self._recheck.cancel()
        await self.live.aclose()

    def _authorized(self) -> list[DocumentWatch]:
        return [watch for watch in self.watches if watch.is_authorized]

    def _changed(self) -> None:
        for watch in self._authorized():
            watch.on_change()

    def _check_again(self) -> None:
        self._recheck = asyncio.get_running_loop().call_later(RECHECK_SECONDS, self._check_again)
        if self._authorized():
            self.reloads.request()

    def _identity(self) -> Identity:
        for watch in self._authorized():
            try:
                return watch.session.identity
            except SessionExpired:
                continue
        raise SessionExpired("Nobody who has these notes open is signed in any more.")

    async def _refresh(self) -> None:
        if self._authorized():
            await self.live.refresh()

    def _not_read(self, error: LivewatchError) -> None:
        logger.info("updates of notes not read", stream=str(self.stream), cause=str(error))
