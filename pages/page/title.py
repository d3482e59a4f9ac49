"""Name of what a page shows, in the breadcrumb and in the tab's title."""

from collections.abc import Callable


class PageTitle:
    """The name; each navigation clears it. The frame sets `show`, which displays a name."""

    def __init__(self) -> None:
        self.show: Callable[[str], None] = lambda name: None

    def set(self, name: str) -> None:
        """Display the name."""
        self.show(name)
