"""List of a user's open sessions."""

from collections.abc import Callable, Sequence

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.people.session_uses import OpenSession


class SessionList(ScriptedElement, component="session_list.js"):
    """List of sessions, with placeholders until the first `show`. Emits `end` with an id, which is not trusted."""

    def __init__(self) -> None:
        super().__init__()
        self.props["sessions"] = None

    def show(self, sessions: Sequence[OpenSession]) -> None:
        """Show these sessions in the given order."""
        self.props["sessions"] = [
            {
                "id": str(each.id),
                "device": each.device,
                "agent": each.user_agent,
                "address": each.address,
                "created_at": epoch_ms(each.created_at),
                "used_at": epoch_ms(each.used_at),
                "is_current": each.is_current,
            }
            for each in sessions
        ]

    def on_end(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the session to end."""
        self.on("end", lambda event: handler(str(event.args)))
