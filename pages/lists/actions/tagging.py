"""The dialog that adds tags to chosen runs and removes others, with undo."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.editing.tag_picker import TagPicker
from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.lists.actions.bulk import BulkOperation, OnChanged, OnRows, amount_of, run_undoable
from pages.page.context import PageContext
from services.editing.tags import Tagged, restore_tags, tag_runs, tag_uses
from services.entities import Entity


async def tag_chosen(page: PageContext, entity: Entity[Any], ids: list[UUID]) -> bool:
    """Ask for tags, and apply them to runs; returns whether they were applied."""
    uses = await page.get(tag_uses(page.services.database, page.session.identity, page.membership.org_id, ids))
    if uses is None:
        return False
    title = f"Tags of {amount_of(entity, len(ids))}"
    with ui.dialog() as dialog, ui.element("div").classes("lw-dialog").props("data-testid=tags"):
        dialog.props["aria-label"] = title
        text("h2", title)
        picker = TagPicker(uses, total=len(ids))
        picker.on_submit(lambda: dialog.submit(True))
        dialog_buttons(dialog, "Apply", lambda: dialog.submit(True))
    is_confirmed = bool(await dialog)
    added, removed = picker.added, picker.removed
    dialog.delete()
    if not is_confirmed or not (added or removed):
        return False
    return await _apply(page, entity, ids, added, removed)


async def _apply(
    page: PageContext, entity: Entity[Any], ids: list[UUID], added: Sequence[str], removed: Sequence[str]
) -> bool:
    database, session = page.services.database, page.session

    async def tag(on_batch: OnChanged) -> None:
        await tag_runs(database, session.identity, entity, ids, added=added, removed=removed, on_batch=on_batch)

    async def restore(tagged: list[Tagged], on_batch: OnRows) -> None:
        await restore_tags(database, session.identity, entity, tagged, on_batch=on_batch)

    def tell(undoing: BulkOperation, count: int) -> None:
        if undoing.count < count:
            ui.notify(f"{undoing.summary}; the others were tagged differently since, or deleted.")

    is_complete, count = await run_undoable(
        page, entity, tag, restore, total=len(ids), doing="Tagging", done="tagged", on_restored=tell
    )
    if is_complete and not count:
        ui.notify("Nothing to change: they have these tags already.")
    return is_complete
