"""A thread of messages with its composer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements import KEPT_JS
from components.elements.handling import HANDLING_JS
from components.window.live_element import LiveElement

HERE = Path(__file__).parent
MODULES = ("composer", "share", "handling_bar", "message_body", "outbox")
Handler = Callable[[Mapping[str, Any]], Awaitable[object] | None]


class ThreadElement(
    LiveElement,
    component="thread.js",
    dependencies=[KEPT_JS, HANDLING_JS, *(HERE / f"{name}.js" for name in MODULES)],
):
    """Messages and a composer; what people send shows at once, and is kept in the browser until it is confirmed.

    Args:
        me: The user.
        label: What the thread is about.
        storage: Key of the browser's storage, different for each user and thread.
        writes: Whether the user may write.
        is_admin: Whether the user may delete messages of others.
        handles: Whether to offer to take care of what the thread is about.
    """

    def __init__(
        self, *, me: UUID, label: str, storage: str, writes: bool, is_admin: bool, handles: bool = False
    ) -> None:
        super().__init__()
        self.props["me"] = str(me)
        self.props["label"] = label
        self.props["storage"] = storage
        self.props["writes"] = writes
        self.props["admin"] = is_admin
        self.props["handles"] = handles
        self.props["members"] = []

    def show_members(self, names: Mapping[UUID, str]) -> None:
        """Offer these members for mentions."""
        self.props["members"] = [[str(id), name] for id, name in names.items()]

    def begin(self, position: int) -> None:
        """Draw the line above what is new after this number, unless it is drawn already."""
        self.run_method("begin", position)

    def add_older(self, messages: Sequence[Mapping[str, Any]], *, more: bool) -> None:
        """Prepend older messages; `more` tells whether there are older ones still."""
        self.run_method("older", messages, more)

    def jump(self, number: int) -> None:
        """Scroll to a message and mark it."""
        self.run_method("jump", number)

    def settle(self, id: str, outcome: str, sentence: str = "") -> None:
        """Answer for a message: `sent`, `later` (it is sent again) or `refused`, with a sentence."""
        self.run_method("settle", id, outcome, sentence)

    def show_typing(self, names: Sequence[str]) -> None:
        """Show who types now."""
        self.run_method("typing", names)

    def fail(self, sentence: str) -> None:
        """Show why an action failed, above the composer; an empty text clears it."""
        self.run_method("fail", sentence)

    def on_post(self, handler: Handler) -> None:
        """Call `handler` with `id`, `body`, `reply_to` and `mentions` of a message; none is trusted."""
        self._on_fields("post", handler)

    def on_edit(self, handler: Handler) -> None:
        """Call `handler` with `id` and `body`."""
        self._on_fields("edit", handler)

    def on_react(self, handler: Handler) -> None:
        """Call `handler` with `id`, `emoji` and whether it is `on`."""
        self._on_fields("react", handler)

    def on_handle(self, handler: Handler) -> None:
        """Call `handler` with `handling`, `note` and the `hours` of a snooze."""
        self._on_fields("handle", handler)

    def on_remove(self, handler: Callable[[str], Awaitable[object]]) -> None:
        """Call `handler` with the id of a message to delete; it is not trusted."""
        self.on("remove", lambda event: handler(str(event.args)))

    def on_number(self, event: str, handler: Callable[[int], Awaitable[object]]) -> None:
        """Call `handler` with the number of `read` (up to it) or `older` (before it)."""

        async def told(arguments: GenericEventArguments) -> None:
            if isinstance(arguments.args, int) and 0 < arguments.args < 2**31:
                await handler(arguments.args)

        self.on(event, told)

    def on_typing(self, handler: Callable[[], object]) -> None:
        """Call `handler` at most every two seconds while the user types."""
        self.on("typing", handler)

    def _on_fields(self, event: str, handler: Handler) -> None:
        async def told(arguments: GenericEventArguments) -> None:
            if isinstance(arguments.args, dict) and (work := handler(arguments.args)):
                await work

        self.on(event, told)
