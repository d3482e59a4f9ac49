"""/settings/account: the password and the address of the user's account, and its open sessions."""

from nicegui import ui

from components.presentation.text import text
from components.shell.shell import page_head, section
from pages.account.changes import email_dialog, password_dialog
from pages.account.session_settings import session_settings
from pages.page.context import PageContext
from pages.settings.setting import setting

DEMO = "The demo signs in with this account, so it keeps its address and its password."


def account_page(page: PageContext) -> None:
    """Build the page."""
    page_head("Account")
    with section("Sign-in"), ui.element("div").classes("lw-panel lw-settings"):
        _sign_in(page)
    with section("Sessions"), ui.element("div").classes("lw-panel lw-settings"):
        session_settings(page)


def _sign_in(page: PageContext) -> None:
    identity = page.session.identity
    providers = identity.providers
    if identity.email == page.services.demo_email:
        reason = DEMO
    elif "email" not in providers:
        reason = f"You sign in by {', '.join(providers)}, which keeps your address and your password."
    else:
        reason = ""

    def show(email: str) -> None:
        address.text = email

    with setting("E-mail", reason or "Your sign-in address."):
        address = text("span", identity.email).classes("lw-clip").props("data-testid=email")
        if not reason:
            ui.button("Change", on_click=lambda: email_dialog(page, show)).props(
                'flat no-caps aria-label="Change the e-mail address"'
            ).classes("lw-button")
    if not reason:
        with setting("Password", "Changing it ends your other sessions."):
            ui.button("Change", on_click=lambda: password_dialog(page)).props(
                'flat no-caps aria-label="Change the password"'
            ).classes("lw-button")
