"""Preferences of a window's user, applied immediately and stored in the profile."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from components.window.live_element import on_slot_delete
from components.window.window import Window
from services.auth.sessions import UserSession
from services.infra.database import Database
from services.people.preferences import Preferences
from services.people.profiles import prefer

OnPreferences = Callable[[Preferences], None]


class PreferencesHub:
    """The stores of this process by user, so that a change in one window reaches the user's other windows."""

    def __init__(self) -> None:
        self._stores: dict[UUID, list[PreferencesStore]] = {}

    def open(self, database: Database, session: UserSession, window: Window, stored: Preferences) -> "PreferencesStore":
        """Return the store of a window, which ends with the window."""
        user = session.identity.user_id
        store = PreferencesStore(database, session, stored, on_change=lambda changed: self._spread(user, changed))
        self._stores.setdefault(user, []).append(store)
        window.on_delete(lambda: self._discard(user, store))
        return store

    def _spread(self, user: UUID, changed: Preferences) -> None:
        for store in list(self._stores.get(user, ())):
            store.apply(changed)

    def _discard(self, user: UUID, store: "PreferencesStore") -> None:
        stores = self._stores[user]
        stores.remove(store)
        if not stores:
            del self._stores[user]


class PreferencesStore:
    """Current preferences of one window; `listen` subscribes to changes."""

    def __init__(
        self, database: Database, session: UserSession, preferences: Preferences, *, on_change: OnPreferences
    ) -> None:
        self.current = preferences
        self._database = database
        self._session = session
        self._on_change = on_change
        self._listeners: list[OnPreferences] = []

    def listen(self, handler: OnPreferences) -> None:
        """Call `handler` with the preferences now and after every change, until the current slot is deleted."""
        self._listeners.append(handler)
        on_slot_delete(lambda: self._listeners.remove(handler))
        handler(self.current)

    def apply(self, preferences: Preferences) -> None:
        """Take over preferences that were changed in one of the user's windows."""
        if preferences == self.current:
            return
        self.current = preferences
        for handler in list(self._listeners):
            handler(preferences)

    async def change(self, **changes: Any) -> None:
        """Store some preferences, and apply them in the user's windows; invalid values become defaults.

        Raises the errors of `prefer`.
        """
        wanted = Preferences.read(self.current.model_dump() | changes)
        if wanted == self.current:
            return
        self._on_change(wanted)
        await prefer(self._database, self._session.identity, wanted.model_dump(include=set(changes)))
