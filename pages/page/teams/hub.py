"""Changes of teams, for the windows of this process: who is a member with which role, invitations, and names."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import structlog

from components.window.live_element import on_slot_delete
from components.window.window import Window
from pages.page.teams.names import MemberNames
from services.auth.sessions import UserSession
from services.errors import LivewatchError
from services.infra.database import Database
from services.people.organizations import Membership, memberships

logger = structlog.get_logger(__name__)

OnMemberships = Callable[[list[Membership]], None]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(eq=False, frozen=True, slots=True)
class _Follower:
    session: UserSession
    handler: OnMemberships


class TeamHub:
    """Tells windows of changes: all of a user's memberships are read once for all of the user's windows.

    Args:
        database: Where memberships are read, under the user's own claims.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.names = MemberNames(database, self.listen)
        self._followers: dict[UUID, list[_Follower]] = {}
        self._listeners: dict[tuple[UUID, UUID], list[Callable[[], None]]] = {}
        self._reading: dict[UUID, asyncio.Task[None]] = {}
        self._stale: set[UUID] = set()

    def follow(self, window: Window, session: UserSession, handler: OnMemberships) -> None:
        """Call `handler` with the user's memberships after each change, until the window goes."""
        user, follower = session.identity.user_id, _Follower(session, handler)
        self._followers.setdefault(user, []).append(follower)
        window.on_delete(lambda: _discard(self._followers, user, follower))

    def listen(self, user: UUID, org_id: UUID, handler: Callable[[], None]) -> None:
        """Call `handler` after each change of an organisation's team, until the current slot is deleted."""
        key = (user, org_id)
        self._listeners.setdefault(key, []).append(handler)
        on_slot_delete(lambda: _discard(self._listeners, key, handler))

    def changed(self, user: UUID, org_id: UUID | None) -> None:
        """Tell the windows of a user that the team of an organisation changed, or the user's own memberships."""
        if org_id is not None:
            for handler in list(self._listeners.get((user, org_id), ())):
                handler()
        self._stale.add(user)
        if user in self._followers and user not in self._reading:
            task = self._reading[user] = asyncio.create_task(self._read(user), name="memberships after a change")
            task.add_done_callback(lambda _: self._reading.pop(user, None))

    async def _read(self, user: UUID) -> None:
        while user in self._stale and (followers := self._followers.get(user)):
            self._stale.discard(user)
            session = next((each.session for each in followers if not each.session.has_ended), followers[0].session)
            try:
                mine = await memberships(self._database, session.identity)
            except LivewatchError as error:
                logger.info("memberships not read", cause=str(error))
                return
            for follower in list(self._followers.get(user, ())):
                follower.handler(mine)


def _discard(lists: dict[K, list[V]], key: K, item: V) -> None:
    items = lists.get(key, [])
    if item in items:
        items.remove(item)
    if not items:
        lists.pop(key, None)
