"""List of an organisation's members, whose roles an admin changes."""

from collections.abc import Callable, Sequence
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.people.models import Role
from services.people.team import Member


class MemberList(ScriptedElement, component="member_list.js"):
    """List of members, with placeholders until the first `show`.

    Emits `role` with an id and a role, and `remove` and `reset` with an id, none of which is trusted.

    Args:
        me: The user who reads the list.
        may_manage: Whether to offer roles and removal.
        may_reset: Whether to offer links to a new password.
    """

    def __init__(self, *, me: UUID, may_manage: bool, may_reset: bool = False) -> None:
        super().__init__()
        self.props["members"] = None
        self.props["me"] = str(me)
        self.props["manage"] = may_manage
        self.props["resets"] = may_reset
        self.props["roles"] = [{"value": role.value, "label": role.value.capitalize()} for role in Role]

    def show(self, members: Sequence[Member]) -> None:
        """Show these members in the given order."""
        self.props["members"] = [
            {
                "id": str(member.user_id),
                "name": member.name,
                "email": member.email,
                "role": member.role.value,
                "joined_at": epoch_ms(member.joined_at),
                "last_seen_at": epoch_ms(member.last_seen_at),
                "invited_by": member.invited_by,
            }
            for member in members
        ]

    def on_role(self, handler: Callable[[str, str], object]) -> None:
        """Call `handler` with the id of a member and the chosen role; both are not trusted."""

        def chosen(event: GenericEventArguments) -> object:
            id, role = (str(each) for each in event.args)
            return handler(id, role)

        self.on("role", chosen)

    def on_remove(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the member to remove, or of the user who leaves; the id is not trusted."""
        self.on("remove", lambda event: handler(str(event.args)))

    def on_reset(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the member who needs a link to a new password; the id is not trusted."""
        self.on("reset", lambda event: handler(str(event.args)))
