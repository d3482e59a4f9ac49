"""Search box for messages, with what was found."""

from collections.abc import Sequence

from components.presentation.time import epoch_ms
from components.window.live_element import ScriptedElement
from services.entities import Message, Thread
from services.text import visible_name

EXCERPT_CHARACTERS = 200


class FoundMessages(ScriptedElement, component="found_messages.js"):
    """A search box and the messages that it found, as links to their threads. Emits `search` with the words."""

    def show(self, words: str, found: Sequence[tuple[Message, Thread]]) -> None:
        """Show the messages that were found for these words, each with its thread."""
        self.run_method(
            "show",
            words,
            [
                {
                    "id": str(each.id),
                    "href": f"/chat?about={thread.about}&message={each.number}",
                    "thread": visible_name(thread.subject_name),
                    "name": visible_name(each.author_name),
                    "at": epoch_ms(each.created_at),
                    "text": each.body[:EXCERPT_CHARACTERS],
                }
                for each, thread in found
            ],
        )
