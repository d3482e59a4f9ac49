"""What the person of a window prefers: applied at once, and kept in their profile for the next window."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from components.window.window import end_with
from services.auth.sessions import UserSession
from services.infra.database import Database
from services.people.preferences import Preferences
from services.people.profiles import prefer

OnPrefer = Callable[[Preferences], None]


class PreferencesStore:
    """One per window. `preferences` are the present ones; whoever shows by them listens."""

    def __init__(self, database: Database, session: UserSession, preferences: Preferences) -> None:
        self.preferences = preferences
        self._database = database
        self._session = session
        self._listeners: list[OnPrefer] = []

    def listen(self, element: ui.element, handler: OnPrefer) -> None:
        """Call `handler` with the preferences, now and when they change; ends with `element`."""
        self._listeners.append(handler)
        end_with(element, lambda: self._listeners.remove(handler))
        handler(self.preferences)

    async def change(self, **changes: Any) -> None:
        """Apply some preferences here and keep them; a bad value is its default. Raises what `prefer` raises."""
        wanted = Preferences.read(self.preferences.model_dump() | changes)
        if wanted == self.preferences:
            return
        self.preferences = wanted
        for handler in list(self._listeners):
            handler(wanted)
        await prefer(self._database, self._session.identity, wanted.model_dump(include=set(changes)))
