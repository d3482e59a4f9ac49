"""What a person sees who belongs to no organisation yet."""

from nicegui import ui

from components.text import text
from pages.context import Context
from services.errors import LivewatchError
from services.organizations import create_organization
from services.sessions import UserSession


def new_organization_page(context: Context, session: UserSession, user_name: str) -> None:
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
