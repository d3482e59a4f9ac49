"""Keyboard shortcuts of every page, and the dialog that lists them."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.window.live_element import ScriptedElement


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut:
    """Shortcut that opens `path` when g and then `key` are pressed."""

    key: str
    path: str
    label: str


class Shortcuts(ScriptedElement, component="shortcuts.js"):
    """Keyboard handler of the page: g and a letter, / for the search, z to undo, ? for the list of shortcuts."""

    def __init__(self, places: Sequence[Shortcut]) -> None:
        super().__init__()
        self.props["places"] = tuple(places)
        self.prefer(shortcuts=True)

    def prefer(self, *, shortcuts: bool) -> None:
        """Enable or disable the shortcuts; the list of shortcuts stays available in the menu."""
        self.props["enabled"] = shortcuts

    @property
    def opener(self) -> str:
        """JavaScript handler that opens the list of shortcuts."""
        return f"() => getElement({self.id}).open()"
