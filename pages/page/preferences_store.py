"""Preferences of a window's user, applied immediately and stored in the profile."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import UUID

import structlog

from components.window.live_element import on_slot_delete
from components.window.window import Window
from services.auth.sessions import UserSession
from services.errors import LivewatchError
from services.infra.database import Database
from services.people.preferences import Preferences
from services.people.profiles import own_profile, prefer

logger = structlog.get_logger(__name__)

OnPreferences = Callable[[Preferences], None]


class PreferencesHub:
    """The stores of this process by user, so that a change in one window reaches the user's other windows."""

    def __init__(self) -> None:
        self._stores: dict[UUID, list[PreferencesStore]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, database: Database, session: UserSession, window: Window, stored: Preferences) -> "PreferencesStore":
        """Return the store of a window, which ends with the window."""
        user = session.identity.user_id
        store = PreferencesStore(database, session, stored, on_change=lambda changed: self._spread(user, changed))
        self._stores.setdefault(user, []).append(store)
        window.on_delete(lambda: self._discard(user, store))
        return store

    def reload(self, user: UUID) -> None:
        """Read the preferences of a user again in the background, since another process may have changed them."""
        if user in self._stores:
            task = asyncio.create_task(self._reload(user), name="reload of preferences")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _reload(self, user: UUID) -> None:
        stores = self._stores.get(user, [])
        # A change that is being stored here is newer than what is stored; its own announcement follows.
        if not stores or any(store.storing for store in stores):
            return
        try:
            stored = await stores[0].read()
        except LivewatchError as error:
            logger.info("preferences not reloaded", reason=str(error))
            return
        if not any(store.storing for store in stores):
            self._spread(user, stored)

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
        self.storing = 0
        """Changes on their way to the database."""
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
        self.storing += 1
        try:
            await prefer(self._database, self._session.identity, wanted.model_dump(include=set(changes)))
        finally:
            self.storing -= 1

    async def read(self) -> Preferences:
        """Read the stored preferences."""
        return (await own_profile(self._database, self._session.identity)).preferences
