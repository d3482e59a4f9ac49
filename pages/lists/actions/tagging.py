"""The dialog that adds tags to chosen runs and removes others, with undo."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from nicegui import ui

from components.elements.editing.tag_picker import TagPicker
from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from components.shell.undo import offer_undo
from pages.lists.actions.bulk import BulkOperation, OnRows, amount_of
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
    operation = BulkOperation(page, entity, doing="Tagging", done="tagged", total=len(ids))
    tagged: list[Tagged] = []

    async def tag(progress: OnRows) -> None:
        def keep(batch: list[Tagged]) -> None:
            tagged.extend(batch)
            progress(batch)

        await tag_runs(database, session.identity, entity, ids, added=added, removed=removed, on_batch=keep)

    async def restore() -> None:
        undo = BulkOperation(page, entity, doing="Restoring the tags of", done="restored", total=len(tagged))

        async def restore_batch(progress: OnRows) -> None:
            await restore_tags(database, session.identity, entity, tagged, on_batch=progress)

        if await undo.run(restore_batch) and undo.count < len(tagged):
            ui.notify(f"{undo.summary}; the others were tagged differently since, or deleted.")

    is_complete = await operation.run(tag)
    if tagged:
        offer_undo(operation.message if is_complete else f"{operation.summary}.", restore)
    elif is_complete:
        ui.notify("Nothing to change: they have these tags already.")
    return is_complete
