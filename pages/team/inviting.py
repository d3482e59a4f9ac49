"""Dialogs of invitations: whom to invite, and the links to pass on."""

from collections.abc import Sequence
from datetime import timedelta

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from pages.page.context import PageContext
from services.people.invitations import MAX_AT_ONCE, Invited, addresses_in, invite, link_of
from services.people.models import Role

ROLES = {
    Role.VIEWER: "Viewer: sees everything",
    Role.OPERATOR: "Operator: also changes runs",
    Role.ADMIN: "Admin: also manages keys and members",
}
LIFETIMES = {1: "1 day", 7: "7 days", 30: "30 days"}


def invite_dialog(page: PageContext, address: str) -> None:
    """Ask for addresses, role and lifetime, then show the links.

    Args:
        page: The page of an admin.
        address: URL of the app, with which the links begin.
    """

    around = ui.context.slot

    async def create() -> None:
        emails, wrong = addresses_in(addresses.value or "")
        if wrong:
            addresses.error = f"Not an e-mail address: {', '.join(wrong[:3])}"
            return
        if len(emails) > MAX_AT_ONCE:
            addresses.error = f"At most {MAX_AT_ONCE} at once; these are {len(emails)}."
            return
        made = await page.get(
            invite(
                page.services.database,
                page.session.identity,
                page.membership.org_id,
                role=role.value,
                emails=emails,
                lifetime=timedelta(days=lifetime.value),
            )
        )
        if made is not None:
            dialog.close()
            with around:
                show_links(address, made)

    with ui.dialog().props('aria-label="Invite"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Invite")
        addresses = ui.textarea("E-mail addresses").props("outlined dense autogrow autofocus maxlength=20000")
        text("p", "One link for each address. Leave it empty for one link that anybody can use once.").classes(
            "lw-muted"
        )
        role = ui.select(ROLES, value=Role.OPERATOR, label="Role").props("outlined dense")
        lifetime = ui.select(LIFETIMES, value=7, label="Valid for").props("outlined dense")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Cancel", on_click=dialog.close).props("flat no-caps").classes("lw-button")
            ui.button("Create links", on_click=create).props("unelevated no-caps").classes(
                "lw-button lw-button--primary"
            )
    dialog.on("hide", dialog.delete)
    dialog.open()


def show_links(address: str, made: Sequence[Invited]) -> None:
    """Show the links once; they cannot be read again later."""
    with ui.dialog().props('persistent aria-label="Links"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Pass on the link" if len(made) == 1 else f"Pass on {len(made)} links")
        text("p", "Each link works once, and only for its address if it has one. Copy it now: it is not shown again.")
        with ui.element("ul").classes("lw-links"):
            for each in made:
                with ui.element("li"):
                    text("span", each.email or "Anybody with the link")
                    CodeBlock(link_of(each.token, address), label=f"Link for {each.email or 'anybody'}")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes("lw-button lw-button--primary")
    dialog.on("hide", dialog.delete)
    dialog.open()
