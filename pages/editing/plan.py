"""The plan of a stream on its page: edited by several people at once, with what they changed below."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog

from components.elements.editing.edit_list import EditList
from components.elements.editing.stream_plan import StreamPlan
from components.views.editing.plan import EditsView, PlanView
from pages.page.context import PageContext
from services.editing.streams import FIELDS, edit_stream, edits_of, undo
from services.entities import EDITS, STREAMS, Edit, Stream
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads
from services.presence.typing import Typist
from services.realtime import Delta, Subscription, TypingKind
from services.text import visible_name

logger = structlog.get_logger(__name__)


class PlanPanel:
    """The plan of one stream in one window; ends with its slot."""

    def __init__(self, page: PageContext, stream: UUID) -> None:
        self._page = page
        self._stream = stream
        self._names: dict[UUID, str] = {}
        writes = page.membership.may_write
        me = page.session.identity.user_id
        self.element = StreamPlan(storage=f"livewatch:plan:{me}:{stream}", writes=writes)
        self._binding = self.element.bind(page.window)
        streams: Subscription[Stream] = page.window.subscribe(STREAMS, row_id=stream, on_change=self._binding.changed)
        self._view = self._binding.view = PlanView(streams)
        self.element.on_delete(streams.close)
        self.element.on_save(self._save)
        org, typing = page.membership.org_id, page.services.typing
        self.element.on_editing(
            lambda field: typing.report(page.session, org, self._subject(field), TypingKind.EDITING)
        )
        for field in FIELDS:
            self._watch(field, me)
        page.services.teams.names.follow(page.session, org, self._show_people)

    @property
    def names(self) -> Mapping[UUID, str]:
        """Members of the organisation by id, kept up to date."""
        return self._names

    def _subject(self, field: str) -> str:
        return f"streams:{self._stream}:{field}"

    def _watch(self, field: str, me: UUID) -> None:
        def show(typists: Sequence[Typist]) -> None:
            names = ", ".join(visible_name(each.name) for each in typists)
            if names:
                self._view.editors[field] = names
            else:
                self._view.editors.pop(field, None)
            self._binding.changed(())

        org = self._page.membership.org_id
        watch = self._page.services.typing.watch(org, self._subject(field), show, me=me)
        self.element.on_delete(watch.close)

    def _show_people(self, names: Mapping[UUID, str]) -> None:
        self._names.clear()
        self._names.update(names)
        self.element.show_people(names)

    async def _save(self, base: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
        database, identity = self._page.services.database, self._page.session.identity
        try:
            self.element.answer(await edit_stream(database, identity, self._stream, base=base, changes=changes))
        except LivewatchError as error:
            self.element.answer({}, str(error))
        except Exception:
            # The browser keeps what was typed, whatever went wrong.
            logger.exception("plan not saved", stream=str(self._stream))
            self.element.answer({}, "the reason is in the server's log. What you typed is kept here.")


class EditsPanel:
    """What people changed of one stream; ends with its slot.

    Args:
        page: The page that is being built.
        stream: The stream.
        names: Members of the organisation by id.
    """

    def __init__(self, page: PageContext, stream: UUID, names: Mapping[UUID, str]) -> None:
        self._page = page
        self._stream = stream
        self.element = EditList(writes=page.membership.may_write)
        self._view = EditsView(names)
        self._binding = self.element.bind(page.window, self._view)
        edits = page.window.subscribe(EDITS, where=lambda row: row.stream_id == stream, on_change=self._changed)
        reloads = Reloads(self._read, name=f"edits of {stream}", on_failure=_edits_not_read)
        self.element.on_delete(edits.close, reloads.close)
        self.element.on("live", reloads.request)
        self.element.on_undo(self._undo)

    def _changed(self, deltas: list[Delta[Edit]]) -> None:
        self._view.changed(deltas)
        self._binding.changed(deltas)

    async def _read(self) -> None:
        self._view.load(await edits_of(self._page.services.database, self._page.session.identity, self._stream))
        self._binding.refresh()

    async def _undo(self, id: str) -> None:
        edit = next((each for each in self._view.edits.values() if str(each.id) == id), None)
        if edit is None:
            return
        try:
            conflicts = await undo(self._page.services.database, self._page.session.identity, edit)
        except LivewatchError as error:
            self.element.fail(f"Not undone: {error}")
            return
        if conflicts:
            self.element.fail("Not undone: it was changed again since. Undo the later change first.")


def _edits_not_read(error: LivewatchError) -> None:
    logger.info("edits not read", cause=str(error))
