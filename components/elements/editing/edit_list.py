"""What people changed of a stream."""

from collections.abc import Awaitable, Callable

from components.window.live_element import LiveElement


class EditList(LiveElement, component="edit_list.js"):
    """The edits of a stream, the latest first; invisible without any. Shows the batches of an `EditsView`."""

    def __init__(self, *, writes: bool) -> None:
        super().__init__()
        self.props["writes"] = writes

    def fail(self, sentence: str) -> None:
        """Show why an edit was not undone."""
        self.run_method("fail", sentence)

    def on_undo(self, handler: Callable[[str], Awaitable[object]]) -> None:
        """Call `handler` with the id of the edit to undo; it is not trusted."""
        self.on("undo", lambda event: handler(str(event.args)))
