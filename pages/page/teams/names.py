"""Names of an organisation's members, read once for all windows of this process and kept up to date."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from components.window.live_element import on_slot_delete
from services.auth.sessions import UserSession
from services.errors import LivewatchError
from services.infra.database import Database
from services.infra.logging import create_shared_task
from services.people.team import members
from services.text import visible_name

logger = structlog.get_logger(__name__)

RELOAD_SECONDS = 30.0
"""Time between two reads without a signal: by postgres_changes, or while a user's feed is away, none arrives."""
RETRY_SECONDS = 3.0
Listen = Callable[[UUID, UUID, Callable[[], None]], None]
OnNames = Callable[[Mapping[UUID, str]], object]


@dataclass(eq=False, slots=True)
class _Team:
    """The names of one organisation, and who follows them."""

    names: dict[UUID, str] = field(default_factory=dict)
    followers: list[tuple[UserSession, OnNames]] = field(default_factory=list)
    is_stale: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class MemberNames:
    """Tells windows the names of members; each read runs under the claims of one who follows.

    Args:
        database: Where members are read.
        listen: Calls a handler after each change of a team that a user hears of, until the current slot is deleted.
    """

    def __init__(self, database: Database, listen: Listen) -> None:
        self._database = database
        self._listen = listen
        self._by_org: dict[UUID, _Team] = {}

    def follow(self, session: UserSession, org_id: UUID, show: OnNames) -> None:
        """Call `show` with the names by id, now if they are known and after each change, until the slot is deleted."""
        team = self._by_org.setdefault(org_id, _Team())
        follower = (session, show)
        team.followers.append(follower)
        self._listen(session.identity.user_id, org_id, team.is_stale.set)
        on_slot_delete(lambda: self._leave(org_id, team, follower))
        if team.names:
            show(team.names)
        if team.task is None:
            team.task = create_shared_task(self._keep(org_id, team), name=f"names of {org_id}")

    def _leave(self, org_id: UUID, team: _Team, follower: tuple[UserSession, OnNames]) -> None:
        team.followers = [each for each in team.followers if each is not follower]
        if not team.followers and self._by_org.get(org_id) is team:
            del self._by_org[org_id]
            if team.task:
                team.task.cancel()

    async def _keep(self, org_id: UUID, team: _Team) -> None:
        while True:
            team.is_stale.clear()
            # Only one who is a member reads any names, so those of all are tried in turn.
            session, _ = team.followers[0]
            team.followers.append(team.followers.pop(0))
            wait = RELOAD_SECONDS
            try:
                found = await members(self._database, session.identity, org_id)
                names = {each.user_id: visible_name(each.name) for each in found}
                if names and names != team.names:
                    team.names = names
                    for _, show in list(team.followers):
                        show(names)
            except LivewatchError as error:
                logger.info("names not read", cause=str(error))
                wait = RETRY_SECONDS
            timer = asyncio.get_running_loop().call_later(wait, team.is_stale.set)
            try:
                await team.is_stale.wait()
            finally:
                timer.cancel()
