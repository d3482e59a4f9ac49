"""Dialogs that make or change a status page, and that write a note on one."""

from uuid import UUID

from nicegui import ui

from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from pages.rules.actions import Load
from services.entities import RUNS
from services.status.pages import (
    ChosenJob,
    StatusPage,
    StatusPageDraft,
    add_note,
    jobs_to_choose,
    put_status_page,
)
from services.text import is_blank, visible_name

MAX_TITLE_CHARACTERS = 120
MAX_ABOUT_CHARACTERS = 1000
MAX_NOTE_CHARACTERS = 2000
MAX_JOBS = 50


async def page_dialog(page: PageContext, stored: StatusPage | None, load: Load) -> None:
    """Ask for a title, a text and jobs with their public names, save them, and await `load`."""
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    known = await page.get(jobs_to_choose(database, identity, org_id))
    if known is None:
        return
    chosen = {each.id: each for each in stored.jobs} if stored else {}
    all_jobs = {each.id: each for each in known} | {id: each for id, each in chosen.items()}
    labels = {id: _label(each) for id, each in {**chosen, **{each.id: each for each in known}}.items()}
    names: dict[UUID, ui.input] = {}

    def show_names() -> None:
        typed = {id: field.value for id, field in names.items()}
        names.clear()
        place.clear()
        with place:
            for id in jobs.value:
                name = typed.get(id, visible_name(all_jobs[id].name))
                names[id] = ui.input(f"Public name of {labels[id]}", value=name).props(
                    f"outlined dense maxlength={MAX_TITLE_CHARACTERS}"
                )

    async def save() -> None:
        given = (title.value or "").strip()
        if is_blank(given):
            title.error = f"Enter a title of 1 to {MAX_TITLE_CHARACTERS} characters."
            return
        if len(jobs.value) > MAX_JOBS:
            jobs.error = f"Choose at most {MAX_JOBS} jobs."
            return
        for field in names.values():
            field.error = "Enter the name that the public sees." if is_blank(field.value or "") else None
        if any(field.error for field in names.values()):
            return
        draft = StatusPageDraft(
            title=given,
            about=(about.value or "").strip(),
            is_enabled=bool(enabled.value),
            jobs=tuple(ChosenJob(id=id, name=field.value.strip()) for id, field in names.items()),
        )
        work = put_status_page(database, identity, org_id, draft, id=stored.id if stored else None)
        if await page.act(work, done="Saved."):
            dialog.close()
            await load()

    with ui.dialog().props('aria-label="Status page"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Change {visible_name(stored.title)}" if stored else "New status page")
        title = ui.input("Title", value=stored.title if stored else "").props(
            f"outlined dense maxlength={MAX_TITLE_CHARACTERS}"
        )
        about = ui.textarea("Text below the title", value=stored.about if stored else "").props(
            f"outlined dense autogrow maxlength={MAX_ABOUT_CHARACTERS}"
        )
        jobs = ui.select(
            labels, value=list(chosen), label="Jobs", multiple=True, with_input=True, on_change=show_names
        ).props("outlined dense options-dense use-chips")
        place = ui.element("div")
        enabled = ui.checkbox("Public", value=stored.is_enabled if stored else False).props("dense")
        dialog_buttons(dialog, "Save", save)
    show_names()
    dialog.on("hide", dialog.delete)
    dialog.open()


def note_dialog(page: PageContext, stored: StatusPage) -> None:
    """Ask for a note and publish it."""

    async def save() -> None:
        given = (title.value or "").strip()
        if is_blank(given):
            title.error = f"Enter a title of 1 to {MAX_TITLE_CHARACTERS} characters."
            return
        database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
        work = add_note(database, identity, org_id, stored.id, title=given, body=(body.value or "").strip())
        if await page.act(work, done="Published."):
            dialog.close()

    with ui.dialog().props('aria-label="Note"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Note on {visible_name(stored.title)}")
        text("p", "Everybody who has the link of the page reads it, without your name.").classes("lw-muted")
        title = ui.input("Title").props(f"outlined dense maxlength={MAX_TITLE_CHARACTERS}")
        body = ui.textarea("Text").props(f"outlined dense autogrow maxlength={MAX_NOTE_CHARACTERS}")
        dialog_buttons(dialog, "Publish", save)
    dialog.on("hide", dialog.delete)
    dialog.open()


def _label(job: ChosenJob) -> str:
    kind = RUNS[job.kind].label if job.kind in RUNS else job.kind
    return f"{visible_name(job.name)} ({kind}, {job.slug})"
