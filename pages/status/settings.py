"""/settings/status: the status pages of an organisation, their links and badges, and notes for the public."""

from urllib.parse import quote

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from components.shell.dialogs import confirm
from components.shell.shell import page_head, section
from pages.page.context import PageContext
from pages.rules.actions import Load, actions_of
from pages.settings.filling import fill
from pages.settings.setting import setting
from pages.status.dialogs import note_dialog, page_dialog
from services.status.pages import (
    StatusPage,
    StatusPageDraft,
    end_note,
    put_status_page,
    remove_status_page,
    renew_link,
    status_notes,
)
from services.status.pages import status_pages as read_pages
from services.text import visible, visible_name

LEAD = "Everybody who has the link of a page sees the state of its jobs, without signing in. Pages are off at first."


def status_settings_page(page: PageContext) -> None:
    """Build the page: admins publish, operators write notes, and viewers see what is published."""
    with page_head("Status pages"):
        if page.membership.is_admin:
            add = ui.button("New status page", icon="add").props("unelevated no-caps")
            add.classes("lw-button lw-button--primary")
    text("p", LEAD).classes("lw-lead")
    with (
        section("Status pages"),
        ui.element("div").classes("lw-panel lw-settings lw-settings--wide").props("data-testid=status-pages"),
    ):
        place = ui.element("div")

    def show(found: list[StatusPage]) -> None:
        for each in found:
            _page(page, each, load)
        if not found:
            with setting("No status page", "There is no status page: nothing is public."):
                pass

    async def load() -> None:
        work = read_pages(page.services.database, page.session.identity, page.membership.org_id)
        await fill(place, work, show, what="status pages")

    if page.membership.is_admin:
        add.on_click(lambda: page_dialog(page, None, load))
    ui.timer(0, load, once=True)


def _page(page: PageContext, stored: StatusPage, load: Load) -> None:
    names = ", ".join(visible_name(each.name) for each in stored.jobs) or "no job yet"
    with setting(visible_name(stored.title), f"{'Public' if stored.is_enabled else 'Off'}. Shows {names}."):
        if stored.token and stored.is_enabled:
            root = page.services.accounts.address
            link = ui.link("Open", f"{root}/status/{stored.token}", new_tab=True)
            link.classes("lw-button lw-button--link")
        if page.membership.may_write:
            _buttons(page, stored, load)


def _buttons(page: PageContext, stored: StatusPage, load: Load) -> None:
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    name = visible_name(stored.title)

    async def toggle() -> None:
        draft = StatusPageDraft(
            title=stored.title, about=stored.about, is_enabled=not stored.is_enabled, jobs=stored.jobs
        )
        said = "Switched off." if stored.is_enabled else "Public from now on."
        if await page.act(put_status_page(database, identity, org_id, draft, id=stored.id), done=said):
            await load()

    async def renew() -> None:
        if await confirm(
            f"Give {name} a new link?", "The present link and its badges lead nowhere then.", action="Renew"
        ):
            await page.act(renew_link(database, identity, org_id, stored.id), done="The page has a new link.")
            await load()

    async def remove() -> None:
        if await confirm(f"Remove {name}?", "Its link, badges and notes are lost.", action="Remove"):
            await page.act(remove_status_page(database, identity, org_id, stored.id), done="Removed.")
            await load()

    with actions_of(stored.title):
        ui.menu_item("Write a note", on_click=lambda: note_dialog(page, stored))
        ui.menu_item("Notes", on_click=lambda: _notes(page, stored))
        if page.membership.is_admin:
            ui.menu_item("Link and badges", on_click=lambda: _links(page, stored))
            ui.menu_item("Change", on_click=lambda: page_dialog(page, stored, load))
            ui.menu_item("Switch off" if stored.is_enabled else "Switch on", on_click=toggle)
            ui.menu_item("New link", on_click=renew)
            ui.menu_item("Remove", on_click=remove)


def _links(page: PageContext, stored: StatusPage) -> None:
    """Show the address of the page, and of the badges."""
    root = page.services.accounts.address
    with ui.dialog().props('aria-label="Link and badges"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Link and badges of {visible_name(stored.title)}")
        if not stored.is_enabled:
            text("p", "The page is off: these addresses lead nowhere until it is switched on.").classes("lw-muted")
        CodeBlock(f"{root}/status/{stored.token}", label="Status page")
        CodeBlock(f"{root}/badge/{stored.token}.svg", label="Badge of all jobs")
        for each in stored.jobs:
            address = f"{root}/badge/{stored.token}/{each.kind}/{quote(each.slug)}.svg"
            CodeBlock(address, label=f"Badge of {visible_name(each.name)}")
        text("p", "Whoever has the link can read the page. The badge of a job names it in its address.").classes(
            "lw-muted"
        )
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps").classes("lw-button")
    dialog.on("hide", dialog.delete)
    dialog.open()


async def _notes(page: PageContext, stored: StatusPage) -> None:
    """Show the notes of a page, which end and go here."""
    database, identity, org_id = page.services.database, page.session.identity, page.membership.org_id
    found = await page.get(status_notes(database, identity, org_id, stored.id))
    if found is None:
        return

    async def end(id: object, said: str, *, is_removed: bool) -> None:
        note = next(each for each in found if each.id == id)
        if await page.act(end_note(database, identity, org_id, note.id, is_removed=is_removed), done=said):
            dialog.close()

    with ui.dialog().props('aria-label="Notes"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", f"Notes on {visible_name(stored.title)}")
        for each in found:
            over = "over" if each.resolved_at else "not over yet"
            text("h3", visible_name(each.title))
            text("p", f"{each.created_at:%d %b %H:%M} UTC, {over}. {visible(each.body)}")
            with ui.element("div").classes("lw-row"):
                if not each.resolved_at:
                    ui.button("It is over", on_click=lambda id=each.id: end(id, "Noted.", is_removed=False)).props(
                        "flat no-caps"
                    ).classes("lw-button")
                ui.button("Remove", on_click=lambda id=each.id: end(id, "Removed.", is_removed=True)).props(
                    "flat no-caps"
                ).classes("lw-button")
        if not found:
            text("p", "There is no note.").classes("lw-muted")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Close", on_click=dialog.close).props("flat no-caps").classes("lw-button")
    dialog.on("hide", dialog.delete)
    dialog.open()
