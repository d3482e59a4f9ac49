"""Who is online in an organisation, by the id of the person; and what they look at, for windows that show it."""

import re
from collections.abc import Collection, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, Self
from uuid import UUID

from components.elements.viewers.row_viewers import RowViewers
from components.views.shared import RowSource, SharedView, SharedViewCursor, shared_by
from components.window.batch import Batch, Reset
from services.entities import ViewerPlace, Viewers
from services.presence.online import OnlinePerson, online_people
from services.realtime import Subscription
from services.text import visible_name

STREAM_PATH = re.compile(r"/streams/([0-9a-f-]{36})")


class Shows(StrEnum):
    """What a window shows of the people online. Where they are changes far more often than who they are."""

    PEOPLE = "people"
    ROWS = "rows"
    """Who looks at which row, too."""
    PLACES = "places"
    """Where everybody is, too, with titles."""


class ViewersView:
    """The people online, sorted by name; a patch holds what changed.

    Fields: `name`, `idle`, and with places `places`: lists of title, whether the person is idle there, the id of the
    shown row or null, and the path, which is null for the page of a stream. With rows, a batch has `looking` as well;
    see `RowViewers`.

    Args:
        source: The rows.
        shows: What the window shows.
    """

    def __init__(self, source: RowSource[Viewers], shows: Shows) -> None:
        self._source = source
        self._shows = shows
        self._sent: dict[str, dict[str, Any]] = {}
        self._at_rows = RowViewers()

    def resume_from(self, other: Self) -> None:
        """See `Shareable`."""
        self._sent, self._at_rows = other._sent, other._at_rows

    def full(self) -> Batch | None:
        if not self._source.is_loaded and not self._source.is_denied:
            return None
        people = online_people(self._source.rows())
        self._sent = self._fields(people)
        reset: Reset = {"order": list(self._sent), "rows": self._sent}
        if self._shows is Shows.ROWS:
            reset["looking"] = self._at_rows.full(_at_rows(people))
        return {"reset": reset}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        people = online_people(self._source.rows())
        before, self._sent = self._sent, self._fields(people)
        batch: Batch = {}
        if changed := {id: fields for id, fields in self._sent.items() if before.get(id) != fields}:
            batch["set"] = changed
        if list(before) != list(self._sent):
            batch["order"] = list(self._sent)
        if self._shows is Shows.ROWS and (looking := self._at_rows.patch(_at_rows(people))):
            batch["looking"] = looking
        return batch or None

    def _fields(self, people: Sequence[OnlinePerson]) -> dict[str, dict[str, Any]]:
        return {str(person.user_id): self._present(person) for person in people}

    def _present(self, person: OnlinePerson) -> dict[str, Any]:
        fields: dict[str, Any] = {"name": visible_name(person.name), "idle": person.is_idle}
        if self._shows is Shows.PLACES:
            fields["places"] = [_place(each) for each in person.places]
        return fields


def viewers_cursor(subscription: Subscription[Viewers], shows: Shows) -> SharedViewCursor:
    """Return a window's position in the view that it shares with the others of the organisation."""
    make = partial(ViewersView, shows=shows)

    def find() -> SharedView | None:
        return subscription.shared((ViewersView, shows), shared_by(make))

    return SharedViewCursor(find, make(subscription))


def _at_rows(people: Sequence[OnlinePerson]) -> dict[str, dict[UUID, bool]]:
    """The people at each row, by name, and whether they are idle there."""
    rows: dict[str, dict[UUID, bool]] = {}
    for person in people:
        for place in person.places:
            if row := _row(place):
                viewers = rows.setdefault(row, {})
                viewers[person.user_id] = viewers.get(person.user_id, True) and place.is_idle
    return rows


def _row(place: ViewerPlace) -> str | None:
    """The id of the row that is shown at a place, if one is."""
    if place.selected:
        return str(place.selected)
    stream = STREAM_PATH.fullmatch(place.path)
    return stream[1] if stream else None


def _place(place: ViewerPlace) -> tuple[str, bool, str | None, str | None]:
    is_stream = not place.selected and STREAM_PATH.fullmatch(place.path)
    return visible_name(place.title), place.is_idle, _row(place), None if is_stream else place.path
