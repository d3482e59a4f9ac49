"""List of an organisation's open invitations."""

from collections.abc import Callable, Sequence

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.people.invitations import Invitation


class InvitationList(ScriptedElement, component="invitation_list.js"):
    """List of invitations, with placeholders until the first `show`. Emits `renew` and `revoke` with an id."""

    def __init__(self) -> None:
        super().__init__()
        self.props["invitations"] = None

    def show(self, invitations: Sequence[Invitation]) -> None:
        """Show these invitations in the given order."""
        self.props["invitations"] = [
            {
                "id": str(each.id),
                "email": each.email,
                "role": each.role.value,
                "created_by": each.created_by,
                "created_at": epoch_ms(each.created_at),
                "expires_at": epoch_ms(each.expires_at),
            }
            for each in invitations
        ]

    def on_renew(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the invitation that needs a new link."""
        self.on("renew", lambda event: handler(str(event.args)))

    def on_revoke(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the invitation to revoke."""
        self.on("revoke", lambda event: handler(str(event.args)))
