"""Organisation switcher, and the page for a user without an organisation."""

from collections.abc import Sequence

from nicegui import ui

from components.presentation.text import text
from components.shell.feedback import tell_error
from components.shell.org_switcher import Choice, OrgSwitcher
from pages.page.membership import ORG_COOKIE, ORG_PARAMETER
from pages.page.services import Services
from services.auth.sessions import UserSession
from services.errors import LivewatchError
from services.people.organizations import Membership, create_organization
from services.text import is_blank


def organization_switcher(mine: Sequence[Membership], current: Membership) -> None:
    """Build the menu of the user's organisations."""
    OrgSwitcher(
        [Choice(id=str(each.org_id), name=each.name, note=each.role.value.capitalize()) for each in mine],
        current=str(current.org_id),
        parameter=ORG_PARAMETER,
        cookie=ORG_COOKIE,
    )


def new_organization_page(services: Services, session: UserSession, user_name: str) -> None:
    """Build the page on which a user without an organisation creates one."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen):
            name.error = "Enter a name."
            return
        try:
            await create_organization(services.database, session.identity, chosen[:120])
        except LivewatchError as error:
            tell_error(str(error))
        else:
            ui.navigate.reload()

    with ui.element("div").classes("lw-lonely"), ui.element("section").classes("lw-panel"):
        text("h1", f"Welcome, {user_name}")
        text(
            "p",
            "You are not a member of an organisation yet. Create one here, or ask an admin to add you and reload "
            "this page.",
        )
        name = ui.input("Name of the organisation").props("outlined dense maxlength=120").on("keydown.enter", create)
        ui.button("Create organisation", on_click=create).props("unelevated no-caps").classes(
            "lw-button lw-button--primary"
        )
