"""The preferences of a window's person: applied at once, stored in their profile."""

from collections.abc import Callable
from typing import Any

from components.window.live_element import on_slot_delete
from services.auth.sessions import UserSession
from services.infra.database import Database
from services.people.preferences import Preferences
from services.people.profiles import prefer

OnPreferences = Callable[[Preferences], None]


class PreferencesStore:
    """The current preferences of one window; `listen` follows them."""

    def __init__(self, database: Database, session: UserSession, preferences: Preferences) -> None:
        self.current = preferences
        self._database = database
        self._session = session
        self._listeners: list[OnPreferences] = []

    def listen(self, handler: OnPreferences) -> None:
        """Call `handler` with the preferences now and after every change; ends with the current slot."""
        self._listeners.append(handler)
        on_slot_delete(lambda: self._listeners.remove(handler))
        handler(self.current)

    async def change(self, **changes: Any) -> None:
        """Apply some preferences and store them; an invalid value becomes its default. Raises what `prefer` raises."""
        wanted = Preferences.read(self.current.model_dump() | changes)
        if wanted == self.current:
            return
        self.current = wanted
        for handler in list(self._listeners):
            handler(wanted)
        await prefer(self._database, self._session.identity, wanted.model_dump(include=set(changes)))
