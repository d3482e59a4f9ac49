"""Dialogs of invitations: whom to invite, and the links to pass on."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from nicegui import ui
from pydantic import SecretStr

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from components.shell.dialogs import dialog_buttons
from pages.page.context import PageContext
from services.errors import MailNotSent
from services.mail.mails import invitation_mail
from services.people.invitations import DEFAULT_LIFETIME, MAX_AT_ONCE, Invited, addresses_in, invite, link_of
from services.people.models import Role

ROLES = {
    Role.VIEWER: "Viewer: sees everything",
    Role.OPERATOR: "Operator: also changes runs",
    Role.ADMIN: "Admin: also manages keys and members",
}
BY_MAIL = "Each address gets its link by e-mail."
BY_HAND = "This server sends no mail: pass the links on yourself."
ONCE = "Each link works once, and only for its address if it has one. Copy it now: it is not shown again."
MAIL_WAIT_SECONDS = 12.0
"""Time that the dialog waits for the mail server; mails are tried further afterwards."""
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
            outcomes = await mail_invitations(page, address, made, role=role.value, days=lifetime.value)
            dialog.close()
            with around:
                show_links(address, made, outcomes)

    with ui.dialog().props('aria-label="Invite"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Invite")
        addresses = ui.textarea("E-mail addresses").props("outlined dense autogrow autofocus maxlength=20000")
        text("p", "One link for each address. Leave it empty for one link that anybody can use once.").classes(
            "lw-muted"
        )
        sends = page.services.mail is not None
        text("p", BY_MAIL if sends else BY_HAND).classes("lw-muted")
        role = ui.select(ROLES, value=Role.OPERATOR, label="Role").props("outlined dense")
        lifetime = ui.select(LIFETIMES, value=7, label="Valid for").props("outlined dense")
        dialog_buttons(dialog, "Invite" if sends else "Create links", create)
    dialog.on("hide", dialog.delete)
    dialog.open()


async def mail_invitations(
    page: PageContext, address: str, made: Sequence[Invited], *, role: Role, days: int = DEFAULT_LIFETIME.days
) -> dict[str, str]:
    """Mail links to the addresses that they are for; returns by address why a mail was not sent, empty if it was."""
    mail = page.services.mail
    if mail is None:
        return {}

    async def send(email: str, token: SecretStr) -> str:
        invitation = invitation_mail(
            email,
            org_name=page.membership.name,
            invited_by=page.session.identity.email,
            role=role,
            link=link_of(token, address),
            lifetime=timedelta(days=days),
        )
        try:
            async with asyncio.timeout(MAIL_WAIT_SECONDS):
                await mail.send(invitation)
        except MailNotSent as error:
            return str(error)
        except TimeoutError:
            return "The mail server has not accepted the mail yet."
        return ""

    emails = [(each.email, each.token) for each in made if each.email]
    results = await asyncio.gather(*(send(email, token) for email, token in emails))
    return {email: result for (email, _), result in zip(emails, results, strict=True)}


def show_links(address: str, made: Sequence[Invited], outcomes: Mapping[str, str]) -> None:
    """Show what was mailed, and the other links once: they cannot be read again later.

    Args:
        address: URL of the app, with which the links begin.
        made: The links.
        outcomes: Of those that were mailed, by address: why a mail was not sent, empty if it was.
    """
    mailed = [each for each in made if outcomes.get(each.email or "") == ""]
    shown = [each for each in made if each not in mailed]
    title = "Pass on the link" if len(shown) == 1 else f"Pass on {len(shown)} links" if shown else "Invited"
    with ui.dialog().props('persistent aria-label="Links"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", title)
        for each in mailed:
            text("p", f"Sent to {each.email}").classes("lw-clip")
        if shown:
            text("p", ONCE)
        with ui.element("ul").classes("lw-links"):
            for each in shown:
                with ui.element("li"):
                    text("span", each.email or "Anybody with the link")
                    if outcome := outcomes.get(each.email or ""):
                        text("p", f"Not sent: {outcome}").classes("lw-sign-in__error").props("role=alert")
                    CodeBlock(link_of(each.token, address), label=f"Link for {each.email or 'anybody'}")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes("lw-button lw-button--primary")
    dialog.on("hide", dialog.delete)
    dialog.open()
