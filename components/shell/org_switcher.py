"""Organisation switcher in the header."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape

from nicegui.element import Element

from components.window.batch import Batch
from components.window.view import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Organisation of the user; `note` is the user's role in it."""

    id: str
    name: str
    note: str = ""


class OrgSwitcher(Element, component="org_switcher.js"):
    """Menu of organisations; choosing one opens its `/` or `/monitoring`, in this window only.

    The organisation is kept in the URL parameter `parameter` of every page, and in the cookie `cookie` for new windows.
    Other windows of the browser are notified of a switch and offer to follow it.
    """

    def __init__(self, choices: Sequence[Choice], *, current: str, parameter: str, cookie: str) -> None:
        super().__init__()
        self.show(choices)
        self.props["current"] = current
        self.props["parameter"] = parameter
        self.props["cookie"] = cookie
        self.props["unread"] = {}

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`."""
        name = next((each["name"] for each in self.props["choices"] if each["id"] == self.props["current"]), "")
        return (
            f'<div class="lw-switcher"><button type="button" class="lw-switcher__button" disabled>'
            f'<span class="lw-clip">{escape(name)}</span><i class="lw-icon notranslate" aria-hidden="true">unfold_more'
            f"</i></button></div>"
        )

    def show(self, choices: Sequence[Choice]) -> None:
        """Show these organisations."""
        self.props["choices"] = [asdict(choice) for choice in choices]

    def show_unread(self, counts: Mapping[str, int]) -> None:
        """Show the numbers of unread alerts, by the id of their organisation."""
        if self.props["unread"] != counts:
            self.props["unread"] = dict(counts)

    def on_create(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user wants another organisation."""
        self.on("create", handler, args=[])
