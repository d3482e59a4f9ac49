"""The windows of this process by person: who is here, where, and whether anybody uses them."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

LEAVE_GRACE_SECONDS = 5.0
"""Seconds that a person without a window still counts as here, so that a reload shows nothing to others."""
MAX_PEOPLE = 200
MAX_PLACES = 5
MAX_PATH_CHARACTERS = 200
MAX_TITLE_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a window shows: the path and the title of its page, and the selected row."""

    path: str
    title: str
    selected: UUID | None = None


class TrackedWindow:
    """One window of a person; it counts from `arrive` until five seconds after `leave`."""

    def __init__(self, org_id: UUID, user_id: UUID, *, on_change: Callable[["TrackedWindow"], None]) -> None:
        self.org_id = org_id
        self.user_id = user_id
        self.place: Place | None = None
        self.is_idle = False
        self.is_shown = True
        self.has_arrived = False
        self.left_at: float | None = None
        """Loop time at which its browser left; None while it is there."""
        self._on_change = on_change

    def arrive(self) -> None:
        """Take note that a browser shows the window; idempotent."""
        if not self.has_arrived or self.left_at is not None:
            self.has_arrived, self.left_at = True, None
            self._on_change(self)

    def leave(self) -> None:
        """Take note that no browser shows the window, for now or for good; idempotent."""
        if self.has_arrived and self.left_at is None:
            self.left_at = asyncio.get_running_loop().time()
            self._on_change(self)

    def show(self, place: Place | None) -> None:
        """Take note of what the window shows; None for a page that is not told."""
        if place is not None:
            place = Place(
                path=place.path[:MAX_PATH_CHARACTERS],
                title=_printable(place.title)[:MAX_TITLE_CHARACTERS],
                selected=place.selected,
            )
        if place != self.place:
            self.place = place
            self._on_change(self)

    def set_idle(self, is_idle: bool) -> None:
        """Take note of whether the window is hidden or had no input for long."""
        if is_idle != self.is_idle:
            self.is_idle = is_idle
            self._on_change(self)

    def set_shown(self, is_shown: bool) -> None:
        """Take note of whether the person wants to be shown as online."""
        if is_shown != self.is_shown:
            self.is_shown = is_shown
            self._on_change(self)


class OrgWindows:
    """The tracked windows of one organisation."""

    def __init__(self) -> None:
        self._windows: dict[TrackedWindow, None] = {}

    def __bool__(self) -> bool:
        return bool(self._windows)

    def note(self, window: TrackedWindow) -> None:
        """Take note of a window that has changed. One that comes replaces those that the person has just left."""
        if not window.has_arrived:
            return
        if window.left_at is None and window not in self._windows:
            for each in list(self._windows):
                if each.user_id == window.user_id and each.left_at is not None:
                    del self._windows[each]
        if window.left_at is None or window in self._windows:
            self._windows[window] = None

    def expire(self, now: float) -> float | None:
        """Forget the windows whose grace is over; returns the loop time at which the next one's is, if any."""
        ends = {each: each.left_at + LEAVE_GRACE_SECONDS for each in self._windows if each.left_at is not None}
        for each, end in ends.items():
            if end <= now:
                del self._windows[each]
        return min((end for end in ends.values() if end > now), default=None)

    def people(self) -> list[dict[str, Any]]:
        """Return the people to report, as JSON values; those in use first where there are too many."""
        hidden = {each.user_id for each in self._windows if not each.is_shown}
        by_person: dict[UUID, list[TrackedWindow]] = {}
        for window in self._windows:
            if window.user_id not in hidden:
                by_person.setdefault(window.user_id, []).append(window)
        people = [_person(user_id, windows) for user_id, windows in by_person.items()]
        if len(people) > MAX_PEOPLE:
            people.sort(key=lambda person: bool(person["is_idle"]))
        return people[:MAX_PEOPLE]


def _printable(title: str) -> str:
    return title if title.isprintable() else "".join(each for each in title if each.isprintable())


def _person(user_id: UUID, windows: Iterable[TrackedWindow]) -> dict[str, Any]:
    """One person with the places of all windows, each once; the places in use first."""
    is_idle = True
    places: dict[Place, bool] = {}
    for window in windows:
        is_idle = is_idle and window.is_idle
        if window.place is not None:
            places[window.place] = places.get(window.place, True) and window.is_idle
    told = sorted(places.items(), key=lambda item: item[1])[:MAX_PLACES]
    return {
        "user_id": str(user_id),
        "is_idle": is_idle,
        "places": [_place(place, is_idle=is_idle_there) for place, is_idle_there in told],
    }


def _place(place: Place, *, is_idle: bool) -> dict[str, Any]:
    fields: dict[str, Any] = {"path": place.path, "title": place.title}
    if place.selected is not None:
        fields["selected"] = str(place.selected)
    return fields | {"is_idle": True} if is_idle else fields
