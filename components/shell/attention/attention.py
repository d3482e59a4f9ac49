"""What asks for attention on every page: toasts, the unread count in the tab's title and icon, and a tone."""

from nicegui.element import Element

from components.presentation.statuses import status_styles_of
from components.views.attention import INBOXES
from components.window.scripts import SHARED_JS
from services.entities import NotificationType, Priority

# A handler for the browser that sounds the tone: only within a person's gesture may a page be heard at once.
TRY_SOUND = '() => document.dispatchEvent(new CustomEvent("lw-try-sound"))'


class Attention(Element, component="attention.js", dependencies=[SHARED_JS, "tab_title.js", "tone.js"]):
    """Takes the batches of an `AttentionView`, also while the window is hidden; emits `live` when mounted.

    Arrivals become toasts, several at once a single one. `place` is the page's name in the tab's title.
    """

    def __init__(self) -> None:
        super().__init__()
        self.props["looks"] = {
            "signal_alerts": status_styles_of(Priority),
            "notifications": status_styles_of(NotificationType),
        }
        self.props["inboxes"] = INBOXES
        self.props["place"] = ""
        self.prefer(toasts=True, sound=False)

    def set_place(self, place: str) -> None:
        """Say where the window is."""
        self.props["place"] = place

    def prefer(self, *, toasts: bool, sound: bool) -> None:
        """Whether arrivals show, and whether they sound."""
        self.props["toasts"] = toasts
        self.props["sound"] = sound
