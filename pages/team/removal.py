"""What a window shows when its user is no longer a member of its organisation."""

import structlog
from nicegui import Client, background_tasks, ui

from components.presentation.text import text
from components.shell.feedback import left_panel
from pages.page.membership import ORG_PARAMETER
from pages.page.services import Services
from services.auth.sessions import UserSession
from services.errors import LivewatchError, SessionExpired
from services.people.organizations import Membership, memberships
from services.text import visible_name

logger = structlog.get_logger(__name__)

LEAVE_AFTER_SECONDS = 6.0
MAX_LINKS = 5


def lead_away(client: Client, services: Services, session: UserSession, left: Membership) -> None:
    """Replace a window's content at once by a panel that says so, and lead to another organisation of the user.

    Args:
        client: The window, whose content is deleted with all its subscriptions.
        services: Where the other memberships are read.
        session: Session of the user; one that has ended shows the sign-in page by itself.
        left: The membership that the user had.
    """

    async def lead() -> None:
        try:
            rest = [each for each in await memberships(services.database, session.identity) if each != left]
        except SessionExpired:
            return
        except LivewatchError as error:
            logger.info("memberships not read after a removal", cause=str(error))
            rest = []
        if client.is_deleted:
            return
        client.content.clear()
        with client.content:
            _panel(left, [each for each in rest if each.org_id != left.org_id])

    background_tasks.create(lead(), name="lead away from an organisation")


def _panel(left: Membership, others: list[Membership]) -> None:
    name = visible_name(left.name)
    target = f"/?{ORG_PARAMETER}={others[0].org_id}" if others else "/"
    with left_panel(f"You are no longer a member of {name}", "Ask an admin of the organisation to add you again."):
        for each in others[:MAX_LINKS]:
            ui.link(f"Open {visible_name(each.name)}", f"/?{ORG_PARAMETER}={each.org_id}").classes(
                "lw-button lw-button--link"
            )
        if not others:
            ui.link("Continue", "/").classes("lw-button lw-button--link")
        text("p", f"This window goes on by itself in {LEAVE_AFTER_SECONDS:g} seconds.").classes("lw-muted")
    ui.timer(LEAVE_AFTER_SECONDS, lambda: ui.navigate.to(target), once=True)
