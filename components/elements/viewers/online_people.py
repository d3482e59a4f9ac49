"""The people online: avatars in the header, with a menu that lists them."""

from functools import partial
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements.viewers import VIEWERS_JS
from components.views.shared import SharedView, SharedViewCursor, shared_by
from components.views.viewers import ViewersView
from components.window.live_element import SHARED_JS, LiveElement
from components.window.window import Window
from services.entities import VIEWERS


class OnlinePeople(LiveElement, component="online_people.js", dependencies=[SHARED_JS, VIEWERS_JS]):
    """Avatars of the others who are online; also feeds every component of `viewers.js` in its window.

    Emits `places` with whether the window shows places; only then they are sent.

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
        subscription = window.subscribe(VIEWERS, on_change=binding.changed)

        def show(*, has_places: bool) -> None:
            def find() -> SharedView | None:
                make = partial(ViewersView, has_places=has_places)
                return subscription.shared((ViewersView, has_places), shared_by(make))

            binding.view = SharedViewCursor(find, ViewersView(subscription, has_places=has_places))
            binding.refresh()

        def wanted(event: GenericEventArguments) -> None:
            show(has_places=bool(event.args))

        show(has_places=False)
        self.on("places", wanted)
        self.on_delete(subscription.close)
