"""One document while windows of this process have it open: its text and latest updates, and the writing of new ones."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import structlog

from services.auth.identity import Identity
from services.errors import LivewatchError, NotAccepted, NotFound, PermissionDenied
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.notes.changes import MAX_LENGTH, ChangeSet, DocumentText
from services.notes.documents import (
    GONE,
    AppendState,
    DraftUpdate,
    Update,
    append_updates,
    fold_document,
    read_document,
    read_updates,
)

logger = structlog.get_logger(__name__)

WRITE_INTERVAL_SECONDS = 0.04
"""Minimum seconds between two writes of a document: what several people type meanwhile is written at once."""
MAX_BATCH = 50
MAX_LOG = 2_000
"""Updates kept for windows that are behind, and for what they send; earlier ones are read."""
FOLD_SECONDS = 30.0
FOLD_UPDATES = 300
"""The text is stored after as many updates, or seconds, so that a reader applies few."""
MAX_TRIES = 20


@dataclass(eq=False, slots=True)
class _Push:
    draft: DraftUpdate
    answer: "asyncio.Future[None]"


class LiveDocument:
    """The latest known version of a document, and the way of this process's updates into the database.

    Versions come from the database, by whichever way: as the answer to a write, by broadcast, or read after a gap.

    Args:
        database: Where it is.
        stream: Whose notes.
        identity: Returns a user who may read; raises SessionExpired where there is none.
        on_change: Called after each change of the version.
    """

    def __init__(
        self, database: Database, stream: UUID, *, identity: Callable[[], Identity], on_change: Callable[[], object]
    ) -> None:
        self.text = DocumentText()
        self.version = 0
        self.is_loaded = False
        self._database = database
        self._stream = stream
        self._identity = identity
        self._on_change = on_change
        self._log: deque[Update] = deque(maxlen=MAX_LOG)
        self._queue: deque[_Push] = deque()
        self._writing: asyncio.Task[None] | None = None
        self._reading = asyncio.Lock()
        self._folding: asyncio.TimerHandle | None = None
        self._folded_version = 0
        self._fold_tasks: set[asyncio.Task[None]] = set()

    async def refresh(self, identity: Identity | None = None) -> None:
        """Read what this process has missed; raises NotFound or DatabaseUnavailable."""
        async with self._reading:
            reader = identity or self._identity()
            if self.is_loaded:
                updates = await read_updates(self._database, reader, self._stream, self.version)
                if updates is not None:
                    self.take(updates)
                    return
            text, version = await read_document(self._database, reader, self._stream)
            if not self.is_loaded or version != self.version:
                self._log.clear()
                self.text, self.version, self.is_loaded = text, version, True
                self._on_change()

    def take(self, updates: Sequence[Update]) -> bool:
        """Take confirmed updates, of which some may be known; returns False where some before them are missing."""
        known = self.version
        if not self._takes(updates):
            return False
        if self.version != known:
            self._on_change()
        return not updates or self.version >= updates[-1].version

    def _takes(self, updates: Sequence[Update]) -> bool:
        """Apply updates up to a gap; returns False where one does not fit, and the document must be read anew."""
        for update in updates:
            if update.version <= self.version:
                continue
            if update.version > self.version + 1:
                break
            try:
                self.text = update.changes.apply(self.text)
            except NotAccepted as error:
                logger.error("an update of notes does not fit", stream=str(self._stream), cause=str(error))
                self.is_loaded = False
                return False
            self.version = update.version
            self._log.append(update)
        return True

    def updates_since(self, version: int) -> list[Update] | None:
        """Return the updates since a version; None where they are not kept here, or the version is none."""
        missing = self.version - version
        if not 0 <= missing <= len(self._log):
            return None
        return [self._log[index] for index in range(len(self._log) - missing, len(self._log))]

    async def push(self, draft: DraftUpdate) -> None:
        """Have an update written, rebased over what came first; returns once it is, whether now or before.

        Raises:
            NotAccepted: The change is none of this text, or its version does not exist.
            PermissionDenied: The author may only read.
            NotFound: The stream was deleted.
            DatabaseUnavailable: It may be sent again.
        """
        push = _Push(draft, asyncio.get_running_loop().create_future())
        self._queue.append(push)
        if self._writing is None or self._writing.done():
            self._writing = create_shared_task(self._write_all(), name=f"notes of {self._stream}")
        await push.answer

    async def fold(self, *, closes: bool = False) -> None:
        """Store the text as it is; `closes` keeps it in the history, whatever is written next."""
        if self._folding:
            self._folding.cancel()
            self._folding = None
        if not self.is_loaded:
            return
        version = self.version
        await fold_document(self._database, self._stream, version, str(self.text), closes=closes)
        self._folded_version = version

    async def aclose(self) -> None:
        """Write what waits, and store the text if this process has changed it."""
        if self._writing:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._folding:
            try:
                await self.fold()
            except LivewatchError as error:
                logger.info("notes not stored", stream=str(self._stream), cause=str(error))

    async def _write_all(self) -> None:
        while self._queue:
            batch = [self._queue.popleft() for _ in range(min(MAX_BATCH, len(self._queue)))]
            try:
                await self._write(batch)
            except LivewatchError as error:
                _answer(batch, error)
            except Exception:
                logger.exception("notes not written", stream=str(self._stream))
                # What this process knows may be wrong.
                self.is_loaded = False
                _answer(batch, LivewatchError("The reason is in the server's log."))
            await asyncio.sleep(WRITE_INTERVAL_SECONDS)

    async def _write(self, batch: list[_Push]) -> None:
        """Write a batch in one transaction, rebased over what another process writes first."""
        if not self.is_loaded or any(push.draft.version > self.version for push in batch):
            await self.refresh()
        for _ in range(MAX_TRIES):
            batch, drafts = self._rebased(batch, await self._earlier(batch))
            if not drafts:
                return
            base = self.version
            answer = await append_updates(self._database, self._stream, base, drafts)
            match answer.state:
                case AppendState.WRITTEN:
                    self._written(base, drafts)
                    _answer(batch)
                    return
                case AppendState.GONE:
                    raise NotFound(GONE)
                case AppendState.BEHIND:
                    if not self.take(answer.updates) or self.version == base:
                        await self.refresh()
                case AppendState.REFUSED:
                    _answer([batch[place] for place in answer.known])
                    _answer(
                        [batch[place] for place in answer.forbidden],
                        PermissionDenied("You may only read these notes by now. Your text is kept here."),
                    )
                    if answer.known:
                        await self.refresh()
                    batch = [push for push in batch if not push.answer.done()]
        raise LivewatchError("Others write too fast. The text is sent again.")

    async def _earlier(self, batch: Sequence[_Push]) -> dict[int, list[Update]]:
        """Read the updates that pushes of old versions need and the log does not have, by version."""
        earlier: dict[int, list[Update]] = {}
        for version in {push.draft.version for push in batch}:
            if version <= self.version and self.updates_since(version) is None:
                found = await read_updates(self._database, self._identity(), self._stream, version)
                if found is not None:
                    earlier[version] = found
        return earlier

    def _rebased(
        self, batch: Sequence[_Push], earlier: dict[int, list[Update]]
    ) -> tuple[list[_Push], list[DraftUpdate]]:
        """Return those pushes of a batch that fit, and their updates after all that is known and after each other."""
        fitting: list[_Push] = []
        drafts: list[DraftUpdate] = []
        text = self.text
        for push in batch:
            try:
                changes = self._after_known(push.draft, earlier.get(push.draft.version, ()))
                for other in drafts:
                    changes = changes.map(other.changes)
                if changes.new_length > MAX_LENGTH:
                    raise NotAccepted(f"Notes have at most {MAX_LENGTH:,} characters.")
                text = changes.apply(text)
            except NotAccepted as error:
                _answer([push], error)
                continue
            fitting.append(push)
            drafts.append(replace(push.draft, version=self.version, changes=changes))
        return fitting, drafts

    def _after_known(self, draft: DraftUpdate, earlier: Sequence[Update]) -> ChangeSet:
        """Return a change after all known updates, one after the other as a browser maps; raises NotAccepted."""
        if draft.version > self.version:
            raise NotAccepted("The change is of a version of the notes that does not exist.")
        known = [each for each in earlier if each.version <= self.version]
        rest = self.updates_since(known[-1].version if known else draft.version)
        if rest is None:
            raise NotAccepted("The change is of a version of the notes that is not kept any more.")
        changes = draft.changes
        for update in (*known, *rest):
            changes = changes.map(update.changes)
        return changes

    def _written(self, base: int, drafts: Sequence[DraftUpdate]) -> None:
        """Take updates that were written; a broadcast may have brought them before the answer."""
        self.take(
            [
                Update(
                    version=base + place,
                    author=draft.author,
                    client=draft.client,
                    number=draft.number,
                    changes=draft.changes,
                    raw=draft.changes.to_json(),
                )
                for place, draft in enumerate(drafts, start=1)
            ]
        )
        is_due = self.version - self._folded_version >= FOLD_UPDATES
        if self._folding is None or is_due:
            if self._folding:
                self._folding.cancel()
            delay = 0.0 if is_due else FOLD_SECONDS
            self._folding = asyncio.get_running_loop().call_later(delay, self._fold_soon)

    def _fold_soon(self) -> None:
        self._folding = None
        task = create_shared_task(self._fold_quietly(), name=f"text of {self._stream}")
        self._fold_tasks.add(task)
        task.add_done_callback(self._fold_tasks.discard)

    async def _fold_quietly(self) -> None:
        try:
            await self.fold()
        except LivewatchError as error:
            # The updates are there; a later one tries again.
            logger.info("notes not stored", stream=str(self._stream), cause=str(error))


def _answer(pushes: Sequence[_Push], error: LivewatchError | None = None) -> None:
    for push in pushes:
        if push.answer.done():
            continue
        if error:
            push.answer.set_exception(error)
        else:
            push.answer.set_result(None)
