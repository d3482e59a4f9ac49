"""Who is online in an organisation, by the id of the person; and what they look at, for windows that show it."""

import re
from collections.abc import Collection
from typing import Any, Self
from urllib.parse import urlencode
from uuid import UUID

from components.views.shared import RowSource
from components.window.batch import Batch
from services.entities import ViewerPlace, Viewers
from services.presence.online import OnlinePerson, online_people
from services.text import visible_name

STREAM_PATH = re.compile(r"/streams/([0-9a-f-]{36})")


class ViewersView:
    """The people online, sorted by name; a patch holds the people that changed.

    Fields: `name`, `idle`, and with places `places`: lists of link, title, the id of the row that is shown, and whether
    the person is idle there.

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


def _place(place: ViewerPlace) -> tuple[str, str, str | None, bool]:
    stream = STREAM_PATH.fullmatch(place.path)
    row = str(place.selected) if place.selected else stream[1] if stream else None
    link = f"{place.path}?{urlencode({'selected': str(place.selected)})}" if place.selected else place.path
    return link, visible_name(place.title), row, place.is_idle
