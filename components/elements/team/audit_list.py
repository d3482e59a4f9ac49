"""List of audit events."""

from collections.abc import Callable, Sequence

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.people.audit import AuditEvent


class AuditList(ScriptedElement, component="audit_list.js"):
    """List of events, latest first, with placeholders until the first `show`. Emits `older` and `search`."""

    def __init__(self) -> None:
        super().__init__()
        self.props["events"] = None
        self.props["more"] = False

    def show(self, events: Sequence[AuditEvent], *, has_more: bool) -> None:
        """Show these events in the given order; `has_more` offers older ones."""
        self.props["more"] = has_more
        self.props["events"] = [
            {
                "id": event.id,
                "at": epoch_ms(event.at),
                "actor": event.actor,
                "address": event.address,
                "sentence": event.sentence,
                "subject": event.subject,
                "changes": changes_of(event),
            }
            for event in events
        ]

    def on_older(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user wants older events."""
        self.on("older", handler)

    def on_search(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the text that events must contain."""
        self.on("search", lambda event: handler(str(event.args)), throttle=0.3, leading_events=False)


def changes_of(event: AuditEvent) -> list[list[str]]:
    """Return what changed as triples of name, earlier and later value."""
    before, after = event.before or {}, event.after or {}
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return [[name, _shown(before.get(name)), _shown(after.get(name))] for name in names]


def _shown(value: object) -> str:
    if value is None:
        return ""
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)
