"""The keys that work on every page, and the help that lists them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element

from components.window.live_element import SHARED_JS


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """g and then `key` leads to `path`."""

    key: str
    path: str
    label: str


class Shortcuts(Element, component="shortcuts.js", dependencies=[SHARED_JS]):
    """Listens to the keyboard of its page: g and a letter, / for the search, ? for the help."""

    def __init__(self, places: Sequence[Shortcut]) -> None:
        super().__init__()
        self.props["places"] = [asdict(place) for place in places]
        self.prefer(shortcuts=True)

    def prefer(self, *, shortcuts: bool) -> None:
        """Whether single keys do something; the help opens from the menu all the same."""
        self.props["enabled"] = shortcuts

    @property
    def opener(self) -> str:
        """A handler for the browser that opens the help."""
        return f"() => getElement({self.id}).open()"
