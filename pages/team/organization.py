"""Which organisation a window looks at, and what a person sees who belongs to none."""

from collections.abc import Sequence

from nicegui import ui
from starlette.requests import HTTPConnection

from components.presentation.text import text
from components.shell.org_switcher import Choice, OrgSwitcher
from pages.page.services import Services
from services.auth.identity import Identity
from services.auth.sessions import UserSession
from services.errors import LivewatchError, PermissionDenied
from services.infra.database import Database
from services.people.organizations import Membership, create_organization, memberships

PARAMETER = "org"
COOKIE = "livewatch_org"


async def chosen_membership(
    database: Database, identity: Identity, connection: HTTPConnection
) -> tuple[Membership | None, list[Membership]]:
    """The organisation that the address asks for, else the one last chosen in this browser, else the first.

    Returns it with all that the person belongs to; None when they belong to none. Raises PermissionDenied when the
    address asks for one that they do not belong to.
    """
    mine = await memberships(database, identity)
    by_id = {str(each.org_id): each for each in mine}
    wanted = connection.query_params.get(PARAMETER)
    if wanted is not None and mine:
        if wanted not in by_id:
            raise PermissionDenied(f"You are not a member of the organisation {wanted[:60]}, or there is none.")
        return by_id[wanted], mine
    remembered = by_id.get(connection.cookies.get(COOKIE, ""))
    return remembered or next(iter(mine), None), mine


def organization_switcher(mine: Sequence[Membership], current: Membership) -> None:
    """The organisations of the person, for the header."""
    OrgSwitcher(
        [Choice(id=str(each.org_id), name=each.name, note=each.role.value.capitalize()) for each in mine],
        current=str(current.org_id),
        parameter=PARAMETER,
        cookie=COOKIE,
    )


def new_organization_page(context: Services, session: UserSession, user_name: str) -> None:
    """Make an organisation, or wait to be added to one."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        if not chosen:
            name.error = "Give it a name."
            return
        try:
            await create_organization(context.database, session.identity, chosen[:120])
        except LivewatchError as error:
            ui.notify(str(error), type="negative")
        else:
            ui.navigate.reload()

    with ui.element("div").classes("lw-lonely"), ui.element("section").classes("lw-panel"):
        text("h1", f"Welcome, {user_name}")
        text(
            "p",
            "You do not belong to an organisation yet. Make one here, or ask an admin of yours to add you; "
            "then reload this page.",
        )
        name = ui.input("Name of the organisation").props("outlined dense maxlength=120").on("keydown.enter", create)
        ui.button("Make the organisation", on_click=create).props("unelevated no-caps").classes(
            "lw-button lw-button--primary"
        )
