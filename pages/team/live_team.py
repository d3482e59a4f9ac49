"""Members and invitations of an organisation, read again after every change, one read at a time."""

import asyncio
from collections.abc import Callable

import structlog
from nicegui import ui

from components.shell.feedback import tell_error
from pages.page.context import PageContext
from services.errors import LivewatchError, SessionExpired
from services.people.invitations import Invitation, open_invitations
from services.people.team import Member, members

logger = structlog.get_logger(__name__)

RELOAD_SECONDS = 30.0
"""Time between two reads without a signal: by postgres_changes, or while the user's feed is away, none arrives."""
RETRY_SECONDS = 3.0


class LiveTeam:
    """The team of a page's organisation; ends with the page.

    Args:
        page: The page that is being built.
        show: Called with what was read.
    """

    def __init__(self, page: PageContext, show: Callable[["LiveTeam"], None]) -> None:
        self.members: list[Member] = []
        self.invitations: list[Invitation] = []
        """Empty unless an admin reads them."""
        self._page = page
        self._show = show
        self._is_due = False
        self._has_failed = False
        self._task: asyncio.Task[None] | None = None
        ui.timer(RELOAD_SECONDS, self.reload)
        page.services.teams.listen(page.session.identity.user_id, page.membership.org_id, self.reload)

    def member(self, id: str) -> Member | None:
        """The member with an id, None if there is none."""
        return next((each for each in self.members if str(each.user_id) == id), None)

    def invitation(self, id: str) -> Invitation | None:
        """The invitation with an id, None if there is none."""
        return next((each for each in self.invitations if str(each.id) == id), None)

    def reload(self) -> None:
        """Read the team now, or once more after the present read."""
        self._is_due = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._read(), name=f"team of {self._page.membership.org_id}")

    async def _read(self) -> None:
        page = self._page
        database, org = page.services.database, page.membership.org_id
        while self._is_due and not page.window.client.is_deleted:
            self._is_due = False
            try:
                identity = page.session.identity
                self.members = await members(database, identity, org)
                if page.membership.is_admin:
                    self.invitations = await open_invitations(database, identity, org)
            except SessionExpired:
                return
            except LivewatchError as error:
                if not self._has_failed:
                    with page.window.client:
                        tell_error(str(error))
                self._has_failed = self._is_due = True
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._has_failed = False
            self._show(self)
