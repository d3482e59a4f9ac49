"""Organisation switcher, and the page for a user without an organisation."""

from collections.abc import Callable, Sequence

from nicegui import ui
from nicegui.element import Element
from nicegui.elements.mixins.text_element import TextElement

from components.presentation.text import text
from components.shell.dialogs import confirm, dialog_buttons
from components.shell.feedback import tell_error
from components.shell.org_switcher import Choice, OrgSwitcher
from components.window.window import Window
from pages.page.context import PageContext
from pages.page.membership import ORG_COOKIE, ORG_PARAMETER
from pages.page.services import Services
from pages.settings.setting import setting
from services.auth.sessions import UserSession
from services.errors import LivewatchError
from services.people.organizations import Membership, create_organization
from services.people.team import delete_organization, rename_organization
from services.text import is_blank, visible_name

MAX_NAME_CHARACTERS = 120


def organization_switcher(mine: Sequence[Membership], current: Membership, create: Callable[[], None]) -> OrgSwitcher:
    """Build the menu of the user's organisations; `create` opens the dialog for another one."""
    switcher = OrgSwitcher(choices_of(mine), current=str(current.org_id), parameter=ORG_PARAMETER, cookie=ORG_COOKIE)
    switcher.on_create(create)
    return switcher


def choices_of(mine: Sequence[Membership]) -> list[Choice]:
    """Return the entries of the menu."""
    return [Choice(id=str(each.org_id), name=each.name, note=each.role.value.capitalize()) for each in mine]


def follow_team(window: Window, current: Membership, shown: Element, mine: Sequence[Membership]) -> None:
    """Bring a window up to date with its user's memberships: another role reloads it, since it offers other things.

    Args:
        window: The window, which leads away without this membership.
        current: The membership that it was built for.
        shown: The organisation's name in the header, or the menu.
        mine: The memberships as they are now.
    """
    now = next((each for each in mine if each.org_id == current.org_id), None)
    if now is None:
        window.lose_access()
    elif now.role is not current.role:
        with window.client:
            ui.navigate.reload()
    elif isinstance(shown, OrgSwitcher):
        shown.show(choices_of(mine))
    elif isinstance(shown, TextElement):
        shown.text = visible_name(now.name)


def organization_settings(page: PageContext) -> None:
    """Build the rows with which an admin renames or deletes the organisation."""
    database, current = page.services.database, page.membership

    async def save() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            tell_error(f"The name must have 1 to {MAX_NAME_CHARACTERS} characters.")
            return
        await page.act(rename_organization(database, page.session.identity, current.org_id, chosen), done="Saved.")

    async def delete() -> None:
        consequence = "All its streams, scans, runs, alerts, keys and members go with it. This cannot be undone."
        shown = visible_name(current.name)
        if await confirm(f"Delete {shown}?", consequence, action="Delete", expected=shown):
            await page.act(delete_organization(database, page.session.identity, current.org_id))

    with setting("Name", "Shown to its members, and to people who are invited."):
        name = ui.input(value=current.name).props(
            f'outlined dense maxlength={MAX_NAME_CHARACTERS} aria-label="Name of the organisation"'
        )
        name.on("keydown.enter", save)
        ui.button("Save", on_click=save).props("unelevated no-caps").classes("lw-button lw-button--primary")
    with setting("Delete", "With everything that was reported to it."):
        ui.button("Delete organisation", on_click=delete).props("flat no-caps").classes("lw-button")


def new_organization_dialog(services: Services, session: UserSession) -> None:
    """Ask for a name, create the organisation, and open it."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen) or len(chosen) > MAX_NAME_CHARACTERS:
            name.error = f"Enter a name of 1 to {MAX_NAME_CHARACTERS} characters."
            return
        try:
            made = await create_organization(services.database, session.identity, chosen)
        except LivewatchError as error:
            tell_error(str(error))
        else:
            # The whole page, as the menu does: a window shows one organisation.
            ui.run_javascript(f"location.assign((window.path_prefix ?? '') + '/?{ORG_PARAMETER}={made}')")

    with ui.dialog().props('aria-label="New organisation"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "New organisation")
        text("p", "With streams, keys and members of its own. You will be its admin.")
        name = ui.input("Name").props(f"outlined dense autofocus maxlength={MAX_NAME_CHARACTERS}")
        name.on("keydown.enter", create)
        dialog_buttons(dialog, "Create organisation", create)
    dialog.on("hide", dialog.delete)
    dialog.open()


def new_organization_page(services: Services, session: UserSession, user_name: str) -> None:
    """Build the page on which a user without an organisation creates one."""

    async def create() -> None:
        chosen = (name.value or "").strip()
        if is_blank(chosen):
            name.error = "Enter a name."
            return
        try:
            await create_organization(services.database, session.identity, chosen[:MAX_NAME_CHARACTERS])
        except LivewatchError as error:
            tell_error(str(error))
        else:
            ui.navigate.reload()

    with ui.element("div").classes("lw-lonely"), ui.element("section").classes("lw-panel"):
        text("h1", f"Welcome, {user_name}")
        text(
            "p",
            "You are not a member of an organisation yet. Create one here, or ask an admin to add you and reload "
            "this page.",
        )
        name = (
            ui.input("Name of the organisation")
            .props(f"outlined dense maxlength={MAX_NAME_CHARACTERS}")
            .on("keydown.enter", create)
        )
        ui.button("Create organisation", on_click=create).props("unelevated no-caps").classes(
            "lw-button lw-button--primary"
        )
