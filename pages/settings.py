"""/settings: what a person may change about themselves."""

from nicegui import ui

from components.shell import page_head, section
from components.text import text
from pages.visit import Visit
from services.organizations import display_name, rename


def settings_page(visit: Visit) -> None:
    """The profile; the theme is the browser's and is switched in the header."""
    page_head("Settings")

    async def load() -> None:
        name.value = await display_name(visit.context.database, visit.session.identity)

    async def save() -> None:
        chosen = (name.value or "").strip()
        if not 1 <= len(chosen) <= 120:
            ui.notify("The name must have 1 to 120 characters.", type="negative")
            return
        await visit.act(rename(visit.context.database, visit.session.identity, chosen), done="Saved.")

    with section("Profile"), ui.element("div").classes("lw-form"):
        text("p", f"You are signed in as {visit.session.identity.email}.").classes("lw-muted")
        name = ui.input("Display name").props("outlined dense maxlength=120")
        ui.button("Save", on_click=save).props("unelevated no-caps").classes("lw-button lw-button--primary")
    ui.timer(0, load, once=True)
