"""A link to a new password, which an admin makes for a member and passes on."""

from nicegui import ui

from components.elements.connect.code_block import CodeBlock
from components.presentation.text import text
from components.shell.dialogs import confirm
from pages.page.context import PageContext
from pages.team.live_team import LiveTeam
from services.people.team import authorize_password_link
from services.text import visible_name


async def reset_password(page: PageContext, ours: LiveTeam, address: str, id: str) -> None:
    """Make a link to a new password for a member, if the database allows it, and show it once.

    Args:
        page: The page of an admin.
        ours: The members.
        address: URL of the app, with which the link begins.
        id: Id of the member, which is not trusted.
    """
    member = ours.member(id)
    if member is None:
        return
    name = visible_name(member.name)
    consequence = "Whoever opens it sets the password of this account, and its sessions end. The audit log notes it."
    if not await confirm(f"Make a reset link for {name}?", consequence, action="Create link", is_critical=False):
        return
    services = page.services
    email = await page.get(authorize_password_link(services.database, page.session.identity, member.user_id))
    link = await page.get(services.links.recovery_link(email, address=address)) if email else None
    if link is None:
        return
    with ui.dialog().props('persistent aria-label="Reset link"') as dialog, ui.element("div").classes("lw-dialog"):
        text("h2", "Pass on the link")
        text("p", f"{name} sets a new password by this link. It works once, and for an hour. Copy it now.")
        CodeBlock(link.get_secret_value(), label=f"Reset link for {name}")
        with ui.element("div").classes("lw-dialog__actions"):
            ui.button("Done", on_click=dialog.close).props("unelevated no-caps").classes("lw-button lw-button--primary")
    dialog.on("hide", dialog.delete)
    dialog.open()
