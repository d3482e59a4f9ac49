"""The editor of a stream's notes, with preview and history."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import nicegui
from nicegui.events import GenericEventArguments

from components.elements import COPYING_JS, KEPT_JS
from components.presentation.markdown import Node
from components.window.live_element import LiveElement

HERE = Path(__file__).parent
MODULES = ("caret_exchange", "carets", "collaboration", "kept_changes", "notes_session", "only_text")
CODEMIRROR = Path(nicegui.__file__).parent / "elements/codemirror/dist"
"""CodeMirror as NiceGUI brings it; a window loads it once an editor is shown."""
Handler = Callable[[Mapping[str, Any]], Awaitable[object]]


class NotesEditor(
    LiveElement,
    component="notes_editor.js",
    dependencies=[
        COPYING_JS,
        KEPT_JS,
        HERE.parent / "chat/message_body.js",
        *(HERE / f"{name}.js" for name in MODULES),
    ],
    esm={"nicegui-codemirror": str(CODEMIRROR)},
):
    """A document that several people type into; shows the frames of a `NotesView`.

    Args:
        label: What the document is, for screen readers.
        storage: Key of the browser's storage, different for each user and stream.
        filename: Name of the file that the text is downloaded as.
        writes: Whether the user may write.
    """

    def __init__(self, *, label: str, storage: str, filename: str, writes: bool) -> None:
        super().__init__()
        self.props["label"] = label
        self.props["storage"] = storage
        self.props["filename"] = filename
        self.props["writes"] = writes
        self.props["members"] = []

    def show_members(self, names: Mapping[UUID, str]) -> None:
        """Name the members at their carets."""
        self.props["members"] = [[str(id), name] for id, name in names.items()]

    def settle(self, number: int, outcome: str, sentence: str = "") -> None:
        """Answer for an update: `written`, `later` (it is sent again) or `refused`, with a sentence."""
        self.run_method("settle", number, outcome, sentence)

    def answer_since(self, client: str, updates: Sequence[Any] | None) -> None:
        """Answer with the updates since a version; None where they are not kept."""
        self.run_method("since", client, updates)

    def show_preview(self, tree: Sequence[Node]) -> None:
        """Show the text as Markdown."""
        self.run_method("previewed", tree)

    def show_history(self, snapshots: Sequence[Mapping[str, Any]]) -> None:
        """List the texts of the history: id, time and names."""
        self.run_method("listed", snapshots)

    def show_snapshot(self, id: UUID, words: str) -> None:
        """Show a text of the history."""
        self.run_method("showSnapshot", {"id": str(id), "text": words})

    def restore(self, words: str) -> None:
        """Change the text to an earlier one, as if the user typed it."""
        self.run_method("restored", words)

    def fail(self, sentence: str) -> None:
        """Show why an action failed."""
        self.run_method("refuse", sentence)

    def end(self) -> None:
        """Say that the stream was deleted; the text stays, to be copied."""
        self.run_method("gone")

    def on_sync(self, handler: Callable[[int], Awaitable[object]]) -> None:
        """Call `handler` with the version that the browser has, -1 for none; it is not trusted."""

        async def told(event: GenericEventArguments) -> None:
            if isinstance(event.args, int):
                await handler(event.args)

        self.on("sync", told)

    def on_fields(self, event: str, handler: Handler) -> None:
        """Call `handler` with the fields of `push`, `caret` or `since`; none is trusted."""

        async def told(arguments: GenericEventArguments) -> None:
            if isinstance(arguments.args, dict):
                await handler(arguments.args)

        self.on(event, told)

    def on_id(self, event: str, handler: Callable[[str], Awaitable[object]]) -> None:
        """Call `handler` with the id of a `snapshot` to show or to `restore`; it is not trusted."""
        self.on(event, lambda arguments: handler(str(arguments.args)))
