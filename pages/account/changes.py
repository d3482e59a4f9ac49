"""Dialogs that change the password and the address of an account, after they asked for the present password."""

from collections.abc import Awaitable, Callable

from nicegui import ui
from nicegui.elements.input import Input
from pydantic import SecretStr

from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.browser import client_address
from pages.page.context import PageContext
from pages.page.public_url import public_url
from services.errors import AccountRefused, LivewatchError, WrongCredentials
from services.people.audit import note_account
from services.people.invitations import addresses_in

CONFIRM_PATH = "/session/confirm"


def password_dialog(page: PageContext) -> None:
    """Ask for the present and the new password, and change it."""

    async def change() -> None:
        if not new.value:
            new.error = "Enter a new password."
            return
        # How long it must be is the Auth server's decision.
        if await _done(page, current, new, set_password(SecretStr(new.value))):
            dialog.close()
            ui.notify("Password changed. Your other sessions have ended.", type="positive")

    async def set_password(password: SecretStr) -> None:
        await page.services.auth.change_password(page.session.tokens, password)
        page.services.sessions.end_others(page.session)
        await note_account(page.services.database, page.session.identity, "password.changed")

    with _dialog("Change password") as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Change password")
        current = _password("Present password", "current-password").props("autofocus")
        new = _password("New password", "new-password").on("keydown.enter", change)
        dialog_buttons(dialog, "Change password", change)
    dialog.open()


def email_dialog(page: PageContext, show: Callable[[str], None]) -> None:
    """Ask for the present password and the new address, and change it.

    Args:
        page: The page of the user.
        show: Called with the new address once it is in force.
    """
    request = ui.context.client.request
    confirm_url = public_url(request) + CONFIRM_PATH if request else ""

    async def change() -> None:
        found, _ = addresses_in(email.value or "")
        if len(found) != 1:
            email.error = "Enter one e-mail address."
            return
        if not await _done(page, current, email, set_email(found[0])):
            return
        dialog.close()
        if page.session.identity.email == found[0]:
            show(found[0])
            ui.notify("E-mail address changed.", type="positive")
        else:
            ui.notify(
                f"Open the link that was sent to {found[0]}: your address changes then. If a link was sent to your "
                f"present address too, open both.",
                type="info",
                timeout=0,
                close_button="Dismiss",
                multi_line=True,
            )

    async def set_email(address: str) -> None:
        if await page.services.auth.change_email(page.session.tokens, address, redirect_to=confirm_url):
            # The access token still has the old address.
            await page.session.renew(is_refused=True)
            await note_account(page.services.database, page.session.identity, "email.changed")

    with _dialog("Change e-mail address") as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Change e-mail address")
        email = ui.input("New address").props("outlined dense autofocus type=email maxlength=320 autocomplete=email")
        current = _password("Present password", "current-password").on("keydown.enter", change)
        dialog_buttons(dialog, "Change address", change)
    dialog.open()


async def _done(page: PageContext, current: Input, wanted: Input, work: Awaitable[None]) -> bool:
    """Verify the present password, then await `work`; show what failed at the field that it concerns."""
    current.error = wanted.error = None
    request = ui.context.client.request
    address = client_address(request) if request else ""
    try:
        await page.services.passwords.verify(page.session.identity, SecretStr(current.value or ""), address=address)
        await work
    except WrongCredentials:
        current.error = "This is not your present password."
    except AccountRefused as error:
        wanted.error = str(error)
    except LivewatchError as error:
        current.error = str(error)
    else:
        return True
    return False


def _dialog(label: str) -> ui.dialog:
    dialog = ui.dialog().props(f'aria-label="{label}"')
    dialog.on("hide", dialog.delete)
    return dialog


def _password(label: str, autocomplete: str) -> Input:
    return ui.input(label, password=True, password_toggle_button=True).props(
        f"outlined dense maxlength=1024 autocomplete={autocomplete}"
    )
