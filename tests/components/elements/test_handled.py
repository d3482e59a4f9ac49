"""Who takes care of which row, as the windows of an organisation are sent it."""

from typing import Any
from uuid import UUID, uuid4

from components.elements.handling.handled_view import HandledView
from components.views.shared import AllRows
from services.entities import THREADS, Handling, Thread
from services.realtime.rows import Rows
from services.realtime.transports.change import decode_change, row_change


class Scene:
    """Threads, which `note` changes."""

    def __init__(self) -> None:
        self.rows = Rows(THREADS, quarantine=lambda *_: None)
        self.view = HandledView(AllRows[Thread](self.rows))
        self._org = str(uuid4())
        self._version = 0

    def note(self, id: UUID, handling: Handling | None, **more: Any) -> set[UUID]:
        """Change the thread about the row with the same id, or delete it; returns what is dirty."""
        self._version += 1
        record = {"id": str(id), "org_id": self._org, "version": self._version}
        if handling:
            record |= {"subject_table": "streams", "subject_id": str(id), "subject_name": "n"}
            record |= {"handling": handling.value, "handler_id": str(uuid4()), "handler_name": "Ben", **more}
            change = row_change("threads", record)
        else:
            gone = {"schema": "public", "table": "threads", "operation": "DELETE", "record": None, "old_record": record}
            change = decode_change(gone)
        self.rows.apply(change)
        return {id}


def test_only_rows_of_which_somebody_takes_care_are_told() -> None:
    it, taken, free = Scene(), uuid4(), uuid4()
    it.note(taken, Handling.TAKEN)
    it.note(free, Handling.OPEN)
    full = it.view.full()
    assert full
    assert full["reset"]["rows"] == {str(taken): {"handling": "taken", "name": "Ben", "until": None}}
    dirty = it.note(free, Handling.SNOOZED, snoozed_until="1970-01-01T00:00:01Z")
    assert it.view.patch(dirty) == {"set": {str(free): {"handling": "snoozed", "name": "Ben", "until": 1000}}}


def test_a_row_that_is_open_again_or_gone_is_told_once() -> None:
    it, released, deleted = Scene(), uuid4(), uuid4()
    it.note(released, Handling.TAKEN)
    it.note(deleted, Handling.RESOLVED)
    it.view.full()
    dirty = it.note(released, Handling.OPEN) | it.note(deleted, None)
    assert it.view.patch(dirty) == {"set": {str(released): {"handling": "open"}, str(deleted): {"handling": "open"}}}
    assert it.view.patch(dirty) is None


def test_a_message_in_a_thread_is_no_news() -> None:
    it, id = Scene(), uuid4()
    it.note(id, Handling.TAKEN)
    it.view.full()
    assert it.view.patch(it.note(id, Handling.TAKEN, last_number=7)) is None


def test_a_name_that_deceives_is_shown_visibly() -> None:
    it, id = Scene(), uuid4()
    it.note(id, Handling.TAKEN, handler_name="\u202eneB")
    full = it.view.full()
    assert full
    assert "\u202e" not in full["reset"]["rows"][str(id)]["name"]
