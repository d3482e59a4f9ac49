"""Choice of tags for several rows: which all, some or none of them have."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from nicegui.events import GenericEventArguments

from components.window.live_element import ScriptedElement
from services.editing.tags import TagUse

MAX_CHANGES = 100
"""Tags that one dialog adds or removes; a stream has at most 20."""


class TagPicker(ScriptedElement, component="tag_picker.js"):
    """Checkboxes of tags, which are indeterminate where some of the rows have one, and an input that adds others.

    Args:
        tags: Tags to offer.
        total: Number of rows.
    """

    def __init__(self, tags: Sequence[TagUse], *, total: int) -> None:
        super().__init__()
        self.props["tags"] = [asdict(tag) for tag in tags]
        self.props["total"] = total
        self.added: list[str] = []
        """Tags that all rows shall have."""
        self.removed: list[str] = []
        """Tags that no row shall have."""
        self.on("change", self._changed)

    def on_submit(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user presses Enter without having typed a tag."""
        self.on("submit", handler)

    def _changed(self, event: GenericEventArguments) -> None:
        given: dict[str, Any] = event.args if isinstance(event.args, dict) else {}
        self.added, self.removed = _texts(given.get("added")), _texts(given.get("removed"))


def _texts(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)][:MAX_CHANGES] if isinstance(value, list) else []
