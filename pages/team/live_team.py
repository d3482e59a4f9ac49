"""Members and invitations of an organisation, read again after every change, one read at a time."""

from collections.abc import Callable

from nicegui import ui

from components.shell.feedback import tell_error
from components.window.live_element import on_slot_delete
from pages.page.context import PageContext
from services.errors import LivewatchError, SessionExpired
from services.infra.tasks.coalescer import Reloads
from services.people.invitations import Invitation, open_invitations
from services.people.team import Member, members

RELOAD_SECONDS = 30.0
"""Time between two reads without a signal: by postgres_changes, or while the user's feed is away, none arrives."""


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
        self._has_failed = False
        reloads = Reloads(self._read, name=f"team of {page.membership.org_id}", on_failure=self._not_read)
        self.reload = reloads.request
        """Reads the team now, or once more after the present read."""
        on_slot_delete(reloads.close)
        ui.timer(RELOAD_SECONDS, self.reload)
        page.services.teams.listen(page.session.identity.user_id, page.membership.org_id, self.reload)

    def member(self, id: str) -> Member | None:
        """The member with an id, None if there is none."""
        return next((each for each in self.members if str(each.user_id) == id), None)

    def invitation(self, id: str) -> Invitation | None:
        """The invitation with an id, None if there is none."""
        return next((each for each in self.invitations if str(each.id) == id), None)

    async def _read(self) -> None:
        page = self._page
        database, org = page.services.database, page.membership.org_id
        try:
            identity = page.session.identity
            self.members = await members(database, identity, org)
            if page.membership.is_admin:
                self.invitations = await open_invitations(database, identity, org)
        except SessionExpired:
            return
        self._has_failed = False
        self._show(self)

    def _not_read(self, error: LivewatchError) -> None:
        if not self._has_failed:
            with self._page.window.client:
                tell_error(str(error))
        self._has_failed = True
