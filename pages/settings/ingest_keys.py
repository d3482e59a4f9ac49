"""The organisation's ingest keys in the settings: made, shown once, revoked. Admins only; the database sees to that."""

from uuid import UUID

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.elements.connect.key_list import KeyList
from components.presentation.text import text
from pages.page.context import PageContext
from services.errors import LivewatchError
from services.ingest import KeyScope
from services.ingest.administration import CreatedKey, KeyEntry, create_key, list_keys, revoke_key

MAX_NAME = 120
ONCE = "Copy it now: it is not shown again. Whoever has it can report for this organisation, and nothing else."
SCOPES = {
    KeyScope.RUNS: "Streams, scans, agents and logs",
    KeyScope.ALERTS: "Alerts",
    KeyScope.NOTIFICATIONS: "Notifications",
}


def ingest_keys(page: PageContext) -> None:
    """The list, for who may see it; a sentence for everybody else."""
    if not page.membership.is_admin:
        text("p", "Programs report with a key. An admin of the organisation makes one here.").classes("lw-muted")
        return
    keys: list[KeyEntry] = []
    rows = KeyList()

    async def load() -> None:
        try:
            keys[:] = await list_keys(page.services.database, page.session.identity, page.membership.org_id)
            rows.show(keys)
        except LivewatchError as error:
            ui.notify(str(error), type="negative")

    async def ask_to_revoke(id: str) -> None:
        key = next((each for each in keys if str(each.id) == id), None)
        if key is None:
            return
        with ui.dialog() as dialog, ui.element("div").classes("lw-dialog"):
            text("h2", f"Revoke {key.name}?")
            text("p", "Programs that report with it are refused from now on. This cannot be undone.")
            with ui.element("div").classes("lw-dialog__actions"):
                ui.button("Cancel", on_click=lambda: dialog.submit(False)).props("flat no-caps").classes("lw-button")
                ui.button("Revoke", on_click=lambda: dialog.submit(True)).props("unelevated no-caps").classes(
                    "lw-button lw-button--critical"
                )
        if await dialog:
            await page.act(revoke(key.id), done="The key is revoked.")
        dialog.delete()

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


async def make(page: PageContext, name: str, scopes: list[KeyScope]) -> CreatedKey | None:
    """Create key; None when the database refuses, which the person is told."""
    try:
        return await create_key(
            page.services.database, page.session.identity, page.membership.org_id, name=name, scopes=scopes
        )
    except LivewatchError as error:
        ui.notify(str(error), type="negative")
        return None


async def _new_key(page: PageContext, load: object) -> None:
    """A dialog: name and scopes, then the key itself, which goes with the dialog."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        wanted = [scope for scope, box in boxes.items() if box.value]
        if not 1 <= len(chosen) <= MAX_NAME:
            name.error = f"Give it a name of 1 to {MAX_NAME} characters."
            return
        if not wanted:
            ui.notify("Let it report something.", type="negative")
            return
        if made := await make(page, chosen, wanted):
            body.clear()
            with body:
                text("h2", f"The key {chosen}")
                text("p", ONCE)
                CodeBlock(made.token.get_secret_value(), label="The new key")
                with ui.element("div").classes("lw-dialog__actions"):
                    ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes(
                        "lw-button lw-button--primary"
                    )
            assert callable(load)
            await load()

    with ui.dialog().props('aria-label="New key"') as dialog, ui.element("div").classes("lw-dialog") as body:
        text("h2", "New key")
        name = ui.input("Name").props(f"outlined dense autofocus maxlength={MAX_NAME}").on("keydown.enter", create)
        with ui.element("fieldset").classes("lw-dialog__choices"):
            text("legend", "It may report")
            boxes = {scope: ui.checkbox(label, value=True).props("dense") for scope, label in SCOPES.items()}
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps").classes("lw-button")
            ui.button("Create key", on_click=create).props("unelevated no-caps").classes("lw-button lw-button--primary")
    dialog.on("hide", dialog.delete)
    dialog.open()
