"""Ingest keys of the organisation in the settings, which admins create and revoke; the database enforces the role."""

from uuid import UUID

from nicegui import ui

from components.elements.connect.key_list import KeyList
from components.presentation.text import text
from components.shell.dialogs import confirm
from components.shell.feedback import tell_error
from pages.page.context import PageContext
from pages.settings.key_dialogs import new_key_dialog, replace_key_dialog
from services.errors import LivewatchError
from services.ingest.administration import KeyEntry, list_keys, revoke_key


def ingest_keys(page: PageContext) -> None:
    """Build the list of keys for admins, and a hint for other members."""
    if not page.membership.is_admin:
        text("p", "Programs report with a key. Admins of the organisation create keys here.").classes("lw-muted")
        return
    keys: list[KeyEntry] = []
    rows = KeyList()

    async def load() -> None:
        try:
            keys[:] = await list_keys(page.services.database, page.session.identity, page.membership.org_id)
            rows.show(keys)
        except LivewatchError as error:
            tell_error(str(error))

    async def ask_to_revoke(id: str) -> None:
        key = next((each for each in keys if str(each.id) == id), None)
        if key is None:
            return
        consequence = "Reports with this key will be rejected. This cannot be undone."
        if await confirm(f"Revoke {key.name}?", consequence, action="Revoke"):
            await page.act(revoke(key.id), done="Key revoked.")

    async def revoke(id: UUID) -> None:
        await revoke_key(page.services.database, page.session.identity, id)
        await load()

    async def replace(id: str) -> None:
        if key := next((each for each in keys if str(each.id) == id), None):
            replace_key_dialog(page, key, load)

    rows.on_revoke(ask_to_revoke)
    rows.on_replace(replace)
    with ui.element("div").classes("lw-keys__actions"):
        ui.button("New key", icon="add", on_click=lambda: new_key_dialog(page, load)).props(
            "unelevated no-caps"
        ).classes("lw-button lw-button--primary")
        ui.link("How to connect your code", "/connect")
    ui.timer(0, load, once=True)
