"""/settings/members: members with their roles, invitations, and the organisation itself."""

from functools import partial

from nicegui import ui

from components.elements.team.invitation_list import InvitationList
from components.elements.team.member_list import MemberList
from components.shell.dialogs import confirm
from components.shell.shell import page_head, section
from pages.page.context import PageContext
from pages.page.public_url import public_url
from pages.team.inviting import invite_dialog, mail_invitations, show_links
from pages.team.live_team import LiveTeam
from pages.team.organization import organization_settings
from pages.team.reset_link import reset_password
from services.people import invitations, team
from services.people.invitations import Invited
from services.people.models import Role
from services.people.team import Member
from services.text import visible_name


def members_page(page: PageContext) -> None:
    """Build the page; its lists follow every change of the team."""
    me, is_admin = page.session.identity.user_id, page.membership.is_admin
    request = ui.context.client.request
    address = public_url(request) if request else "http://localhost:8080"
    with page_head("Members"):
        if is_admin:
            ui.link("Audit log", "/settings/audit").classes("lw-button lw-button--link")
            ui.button("Invite", icon="person_add", on_click=lambda: invite_dialog(page, address)).props(
                "unelevated no-caps"
            ).classes("lw-button lw-button--primary")
    with section("People"), ui.element("div").classes("lw-panel lw-settings"):
        may_reset = is_admin and page.services.auth.has_service_key
        people = MemberList(me=me, may_manage=is_admin, may_reset=may_reset)
    waiting: InvitationList | None = None
    if is_admin:
        with section("Invitations"), ui.element("div").classes("lw-panel lw-settings"):
            waiting = InvitationList()
        with section("Organisation"), ui.element("div").classes("lw-panel lw-settings"):
            organization_settings(page)

    def show(read: LiveTeam) -> None:
        people.show(read.members)
        if waiting:
            waiting.show(read.invitations)

    ours = LiveTeam(page, show)
    _manage_members(page, ours, people)
    people.on_reset(partial(reset_password, page, ours, address))
    if waiting:
        _manage_invitations(page, ours, waiting, address)
    ours.reload()


def _manage_members(page: PageContext, ours: LiveTeam, people: MemberList) -> None:
    database, org = page.services.database, page.membership.org_id

    async def change_role(id: str, role: str) -> None:
        member = ours.member(id)
        if member is None or role not in list(Role) or role == member.role.value:
            return
        if not await _may_give_up(page, member):
            people.show(ours.members)
            return
        work = team.change_role(database, page.session.identity, org, member.user_id, Role(role))
        await page.act(work, done=f"{visible_name(member.name)} is now {Role(role).value}.")
        ours.reload()

    async def remove(id: str) -> None:
        member = ours.member(id)
        if member is None:
            return
        name = visible_name(member.name)
        if member.user_id == page.session.identity.user_id:
            question = f"Leave {visible_name(page.membership.name)}?"
            consequence, action = "You will no longer see its work. An admin can invite you again.", "Leave"
        else:
            question, action = f"Remove {name}?", "Remove"
            consequence = "The windows of this person close at once. What was reported stays."
        if await confirm(question, consequence, action=action):
            await page.act(team.remove(database, page.session.identity, org, member.user_id))
            ours.reload()

    people.on_role(change_role)
    people.on_remove(remove)


async def _may_give_up(page: PageContext, member: Member) -> bool:
    """Ask admins who take their own rights away."""
    if member.user_id != page.session.identity.user_id:
        return True
    consequence = "You will no longer be an admin here. Only another admin can make you one again."
    return await confirm("Give up your own role?", consequence, action="Give up")


def _manage_invitations(page: PageContext, ours: LiveTeam, waiting: InvitationList, address: str) -> None:
    database = page.services.database

    async def renew(id: str) -> None:
        if invitation := ours.invitation(id):
            consequence = "The old link stops working, and the new one is valid for seven days."
            if await confirm("Make a new link?", consequence, action="New link", is_critical=False):
                token = await page.get(invitations.renew(database, page.session.identity, invitation.id))
                if token is not None:
                    made = [Invited(email=invitation.email, token=token)]
                    outcomes = await mail_invitations(page, address, made, role=invitation.role)
                    show_links(address, made, outcomes)

    async def revoke(id: str) -> None:
        if invitation := ours.invitation(id):
            await page.act(
                invitations.revoke(database, page.session.identity, invitation.id), done="Invitation revoked."
            )
            ours.reload()

    waiting.on_renew(renew)
    waiting.on_revoke(revoke)
