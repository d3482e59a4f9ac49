"""Who is online in an organisation, by the id of the person; and what they look at, for windows that show it."""

import re
from collections.abc import Collection
from functools import partial
from typing import Any, Self
from uuid import UUID

from components.views.shared import RowSource, SharedView, SharedViewCursor, shared_by
from components.window.batch import Batch
from services.entities import ViewerPlace, Viewers
from services.presence.online import OnlinePerson, online_people
from services.realtime import Subscription
from services.text import visible_name

STREAM_PATH = re.compile(r"/streams/([0-9a-f-]{36})")


class ViewersView:
    """The people online, sorted by name; a patch holds the people that changed.

    Fields: `name`, `idle`, and with places `places`: lists of title, whether the person is idle there, the id of the
    shown row or null, and the path, which is null for the page of a stream.

    Args:
        source: The rows.
        has_places: Whether to include places, which change far more often than people.
    """

    def __init__(self, source: RowSource[Viewers], *, has_places: bool) -> None:
        self._source = source
        self._has_places = has_places
        self._sent: dict[str, dict[str, Any]] = {}

    def resume_from(self, other: Self) -> None:
        """See `Shareable`."""
        self._sent = other._sent

    def full(self) -> Batch | None:
        if not self._source.is_loaded and not self._source.is_denied:
            return None
        self._sent = self._fields()
        return {"reset": {"order": list(self._sent), "rows": self._sent}}

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        before, self._sent = self._sent, self._fields()
        batch: Batch = {}
        if changed := {id: fields for id, fields in self._sent.items() if before.get(id) != fields}:
            batch["set"] = changed
        if list(before) != list(self._sent):
            batch["order"] = list(self._sent)
        return batch or None

    def _fields(self) -> dict[str, dict[str, Any]]:
        return {str(person.user_id): self._present(person) for person in online_people(self._source.rows())}

    def _present(self, person: OnlinePerson) -> dict[str, Any]:
        fields: dict[str, Any] = {"name": visible_name(person.name), "idle": person.is_idle}
        return fields | {"places": [_place(each) for each in person.places]} if self._has_places else fields


def viewers_cursor(subscription: Subscription[Viewers], *, has_places: bool) -> SharedViewCursor:
    """Return a window's position in the view that it shares with the others of the organisation."""
    make = partial(ViewersView, has_places=has_places)

    def find() -> SharedView | None:
        return subscription.shared((ViewersView, has_places), shared_by(make))

    return SharedViewCursor(find, make(subscription))


def _place(place: ViewerPlace) -> tuple[str, bool, str | None, str | None]:
    stream = STREAM_PATH.fullmatch(place.path)
    if stream and not place.selected:
        return visible_name(place.title), place.is_idle, stream[1], None
    return visible_name(place.title), place.is_idle, str(place.selected) if place.selected else None, place.path
