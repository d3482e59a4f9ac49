"""Preferences of a window's user, applied immediately and stored in the profile."""

from collections.abc import Callable
from typing import Any

from components.window.live_element import on_slot_delete
from services.auth.sessions import UserSession
from services.infra.database import Database
from services.people.preferences import Preferences
from services.people.profiles import prefer

OnPreferences = Callable[[Preferences], None]


class PreferencesStore:
    """Current preferences of one window; `listen` subscribes to changes."""

    def __init__(self, database: Database, session: UserSession, preferences: Preferences) -> None:
        self.current = preferences
        self._database = database
        self._session = session
        self._listeners: list[OnPreferences] = []

    def listen(self, handler: OnPreferences) -> None:
        """Call `handler` with the preferences now and after every change, until the current slot is deleted."""
        self._listeners.append(handler)
        on_slot_delete(lambda: self._listeners.remove(handler))
        handler(self.current)

    async def change(self, **changes: Any) -> None:
        """Apply and store some preferences; invalid values become defaults. Raises the errors of `prefer`."""
        wanted = Preferences.read(self.current.model_dump() | changes)
        if wanted == self.current:
            return
        self.current = wanted
        for handler in list(self._listeners):
            handler(wanted)
        await prefer(self._database, self._session.identity, wanted.model_dump(include=set(changes)))
