"""Dialogs that create and replace ingest keys, and show each new key once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from services.ingest import REPORTING, KeyScope
from services.ingest.administration import CreatedKey, KeyEntry, create_key, replace_key
from services.text import is_blank, visible_name

MAX_NAME_CHARACTERS = 120
ONCE = "Copy it now: it is not shown again. It works for this organisation only."
SCOPES = {
    KeyScope.RUNS: "Report runs and their logs; read, close, archive and delete runs",
    KeyScope.ALERTS: "Send alerts",
    KeyScope.NOTIFICATIONS: "Send notifications",
    KeyScope.READ: "Read runs with logs and comments, activities, and what programs sent",
    KeyScope.COMMANDS: "Close, archive and delete runs",
}
LIFETIMES: dict[int | None, str] = {None: "Never", 7: "In 7 days", 30: "In 30 days", 90: "In 90 days", 365: "In a year"}
KEEPS = {0: "At once", 1: "In an hour", 24: "In a day", 168: "In 7 days"}

Load = Callable[[], Awaitable[None]]


def new_key_dialog(page: PageContext, load: Load) -> None:
    """Ask for name, scopes and lifetime, create the key, show it once, and await `load`."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        wanted = [scope for scope, box in boxes.items() if box.value]
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            name.error = f"Enter a name of 1 to {MAX_NAME_CHARACTERS} characters."
            return
        if not wanted:
            ui.notify("Select at least one permission.", type="negative")
            return
        work = create_key(
            page.services.database,
            page.session.identity,
            page.membership.org_id,
            name=chosen,
            scopes=wanted,
            lifetime=_days(lifetime.value),
        )
        if key := await page.get(work):
            _show(dialog, body, chosen, key)
            await load()

    with ui.dialog().props('aria-label="New key"') as dialog, ui.element("div").classes("lw-dialog") as body:
        text("h2", "New key")
        name = ui.input("Name").props(f"outlined dense autofocus maxlength={MAX_NAME_CHARACTERS}")
        name.on("keydown.enter", create)
        with ui.element("fieldset").classes("lw-dialog__choices"):
            text("legend", "It may")
            boxes = {
                scope: ui.checkbox(label, value=scope in REPORTING).props("dense") for scope, label in SCOPES.items()
            }
        lifetime = ui.select(LIFETIMES, value=None, label="Expires").props("outlined dense")
        dialog_buttons(dialog, "Create key", create)
    dialog.on("hide", dialog.delete)
    dialog.open()


def replace_key_dialog(page: PageContext, key: KeyEntry, load: Load) -> None:
    """Ask how long the key still works beside its replacement, replace it, show the new one, and await `load`."""

    async def replace() -> None:
        keep = timedelta(hours=kept.value)
        work = replace_key(
            page.services.database, page.session.identity, key.id, keep=keep, lifetime=_days(lifetime.value)
        )
        if made := await page.get(work):
            _show(dialog, body, key.name, made)
            await load()

    with ui.dialog().props('aria-label="Replace key"') as dialog, ui.element("div").classes("lw-dialog") as body:
        text("h2", f"Replace {visible_name(key.name)}?")
        text("p", "The new key has the same name and permissions. Until the present one ends, both work.")
        kept = ui.select(KEEPS, value=24, label="The present key ends").props("outlined dense")
        lifetime = ui.select(LIFETIMES, value=None, label="The new key expires").props("outlined dense")
        dialog_buttons(dialog, "Replace key", replace)
    dialog.on("hide", dialog.delete)
    dialog.open()


def _days(days: int | None) -> timedelta | None:
    return None if days is None else timedelta(days=days)


def _show(dialog: ui.dialog, body: ui.element, name: str, key: CreatedKey) -> None:
    """Show a new key in place of the questions."""
    dialog.props("persistent")
    body.clear()
    with body:
        text("h2", f"The key {visible_name(name)}")
        text("p", ONCE)
        CodeBlock(key.token.get_secret_value(), label="The new key")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes("lw-button lw-button--primary")
