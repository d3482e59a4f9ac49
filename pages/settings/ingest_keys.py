"""Ingest keys of the organisation in the settings, which admins create and revoke; the database enforces the role."""

from uuid import UUID

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.elements.connect.key_list import KeyList
from components.presentation.text import text
from components.shell.dialogs import confirm
from components.shell.feedback import tell_error
from pages.page.context import PageContext
from services.errors import LivewatchError
from services.ingest import KeyScope
from services.ingest.administration import CreatedKey, KeyEntry, create_key, list_keys, revoke_key
from services.text import is_blank

MAX_NAME_CHARACTERS = 120
ONCE = "Copy it now: it is not shown again. It only allows reporting for this organisation."
SCOPES = {
    KeyScope.RUNS: "Streams, scans, agents and logs",
    KeyScope.ALERTS: "Alerts",
    KeyScope.NOTIFICATIONS: "Notifications",
}


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

    rows.on_revoke(ask_to_revoke)
    with ui.element("div").classes("lw-keys__actions"):
        ui.button("New key", icon="add", on_click=lambda: _new_key(page, load)).props("unelevated no-caps").classes(
            "lw-button lw-button--primary"
        )
        ui.link("How to connect your code", "/connect")
    ui.timer(0, load, once=True)


async def create_key_or_notify(page: PageContext, name: str, scopes: list[KeyScope]) -> CreatedKey | None:
    """Create a key; on failure notify the user and return None."""
    try:
        return await create_key(
            page.services.database, page.session.identity, page.membership.org_id, name=name, scopes=scopes
        )
    except LivewatchError as error:
        tell_error(str(error))
        return None


async def _new_key(page: PageContext, load: object) -> None:
    """Open a dialog that asks for name and scopes, and then shows the key once."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        wanted = [scope for scope, box in boxes.items() if box.value]
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            name.error = f"Enter a name of 1 to {MAX_NAME_CHARACTERS} characters."
            return
        if not wanted:
            tell_error("Select at least one scope.")
            return
        if key := await create_key_or_notify(page, chosen, wanted):
            body.clear()
            with body:
                text("h2", f"The key {chosen}")
                text("p", ONCE)
                CodeBlock(key.token.get_secret_value(), label="The new key")
                with ui.element("div").classes("lw-dialog__actions"):
                    ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes(
                        "lw-button lw-button--primary"
                    )
            assert callable(load)
            await load()

    with ui.dialog().props('aria-label="New key"') as dialog, ui.element("div").classes("lw-dialog") as body:
        text("h2", "New key")
        name = ui.input("Name").props(f"outlined dense autofocus maxlength={MAX_NAME_CHARACTERS}")
        name.on("keydown.enter", create)
        with ui.element("fieldset").classes("lw-dialog__choices"):
            text("legend", "It may report")
            boxes = {scope: ui.checkbox(label, value=True).props("dense") for scope, label in SCOPES.items()}
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps").classes("lw-button")
            ui.button("Create key", on_click=create).props("unelevated no-caps").classes("lw-button lw-button--primary")
    dialog.on("hide", dialog.delete)
    dialog.open()
