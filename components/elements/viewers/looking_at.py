"""Who looks at a row, as text with avatars."""

from uuid import UUID

from components.elements.viewers import VIEWERS_JS
from components.window.live_element import LiveElement


class LookingAt(LiveElement, component="looking_at.js", dependencies=[VIEWERS_JS]):
    """The others who look at a row; nothing while there are none. Needs an `OnlinePeople` in the window.

    Args:
        row: Id of the row.
    """

    def __init__(self, row: UUID) -> None:
        super().__init__()
        self.props["row"] = str(row)
