"""Threads about runs and alerts, and the number of unread messages of a badge."""

from components.elements.figures.count_badge import CountBadge
from components.views.chat.unread import ThreadsView, UnreadCountView, UnreadThreads
from components.window.live_element import LiveElement
from components.window.window import Window


class ThreadList(LiveElement, component="thread_list.js"):
    """Links to the threads about runs and alerts, the latest first, with numbers of unread messages.

    Args:
        selected: The `table:id` of the thread that is open beside the list; empty for the organisation's chat.
    """

    def __init__(self, selected: str) -> None:
        super().__init__()
        self.props["selected"] = selected

    def bind_threads(self, window: Window, unread: UnreadThreads) -> None:
        """Show these threads."""
        binding = self.bind(window, ThreadsView(unread))
        self.on_delete(unread.listen(lambda: binding.changed(())))


def bind_unread_messages(badge: CountBadge, window: Window, unread: UnreadThreads) -> None:
    """Have a badge count the unread messages of the user."""
    binding = badge.bind(window, UnreadCountView(unread, badge.keys[0]))
    badge.on_delete(unread.listen(lambda: binding.changed(())))
