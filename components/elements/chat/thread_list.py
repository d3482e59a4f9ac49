"""Threads about runs and alerts, and the number of unread messages of a badge."""

from components.elements.figures.count_badge import CountBadge
from components.views.chat.unread import ThreadsView, UnreadCountView, UnreadThreads
from components.window.live_element import SHARED_JS, LiveBinding, LiveElement
from components.window.window import Window


class ThreadList(LiveElement, component="thread_list.js", dependencies=[SHARED_JS]):
    """Links to the threads about runs and alerts, the latest first, with numbers of unread messages.

    Args:
        selected: The `table:id` of the thread that is open beside the list; empty for the organisation's chat.
    """

    def __init__(self, selected: str) -> None:
        super().__init__()
        self.props["selected"] = selected

    def bind_threads(self, window: Window) -> None:
        """Show the threads of the window's organisation."""
        binding, unread = _following(self, window)
        binding.view = ThreadsView(unread)


def bind_unread_messages(badge: CountBadge, window: Window) -> None:
    """Have a badge count the unread messages of the user in the window's organisation."""
    binding, unread = _following(badge, window)
    binding.view = UnreadCountView(unread, badge.keys[0])


def _following(element: LiveElement, window: Window) -> tuple[LiveBinding, UnreadThreads]:
    binding = element.bind(window)
    unread = UnreadThreads(window, lambda: binding.changed(()))
    element.on_delete(unread.close)
    return binding, unread
