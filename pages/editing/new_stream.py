"""The dialog that begins a stream without a program."""

from nicegui import ui

from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from services.editing.streams import create_stream
from services.text import is_blank


def new_stream_button(page: PageContext) -> None:
    """Build the button that opens the dialog; nothing for viewers."""
    if page.membership.may_write:
        ui.button("New stream", on_click=lambda: _open(page)).props("flat no-caps").classes("lw-button")


def _open(page: PageContext) -> None:
    with ui.dialog().props('persistent aria-label="New stream"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "New stream")
        text("p", "For work that no program reports, or that begins later. You can change everything afterwards.")
        name = ui.input("Name").props("outlined dense autofocus maxlength=200")
        description = ui.textarea("Description").props("outlined dense autogrow maxlength=4000")

        async def create() -> None:
            if is_blank(name.value or ""):
                name.props('error error-message="Enter a name."')
                return
            database, identity, org = page.services.database, page.session.identity, page.membership.org_id
            made = await page.get(
                create_stream(database, identity, org, name.value, description=description.value or "")
            )
            if made is not None:
                dialog.close()
                ui.navigate.to(f"/streams/{made}")

        name.on("keydown.enter", create)
        dialog_buttons(dialog, "Create stream", create)
    dialog.on("hide", dialog.delete)
    dialog.open()
