"""The people online: avatars in the header, with a menu that lists them."""

from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements.viewers import PEOPLE_LIST_JS, VIEWERS_JS
from components.elements.viewers.viewers_view import Shows, viewers_cursor
from components.views.shared import SharedViewCursor
from components.window.live_element import LiveElement
from components.window.window import Window
from services.entities import VIEWERS, Viewers
from services.realtime import Delta


class OnlinePeople(LiveElement, component="online_people.js", dependencies=[VIEWERS_JS, PEOPLE_LIST_JS]):
    """Avatars of the others who are online; also feeds every component of `viewers.js` in its window.

    Emits `shows` with what the window shows of the people; only that is sent.

    Args:
        me: The user, who is not among the others.
    """

    def __init__(self, *, me: UUID) -> None:
        super().__init__()
        self.props["me"] = str(me)
        self.prefer(online=True)

    def prefer(self, *, online: bool) -> None:
        """Set whether the user is shown to others, which the menu says."""
        self.props["shown"] = online

    def bind_viewers(self, window: Window) -> None:
        """Show the people of the window's organisation; the subscription ends with the element."""
        binding = self.bind(window)

        def changed(deltas: list[Delta[Viewers]]) -> None:
            # Most changes are of places, of which most windows show none.
            if cursors[-1].has_news():
                binding.changed(deltas)

        def show(shows: Shows) -> None:
            cursors[:] = [viewers_cursor(subscription, shows)]
            binding.view = cursors[-1]
            binding.refresh()

        def wanted(event: GenericEventArguments) -> None:
            if event.args in set(Shows):
                show(Shows(event.args))

        cursors: list[SharedViewCursor] = []
        subscription = window.subscribe(VIEWERS, on_change=changed)
        show(Shows.PEOPLE)
        self.on("shows", wanted)
        self.on_delete(subscription.close)
