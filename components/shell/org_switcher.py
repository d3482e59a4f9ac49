"""Which organisation a window looks at, in the header, and the way to another one."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from nicegui.element import Element


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An organisation that the person may look at; `note` says what they are there."""

    id: str
    name: str
    note: str = ""


class OrgSwitcher(Element, component="org_switcher.js"):
    """A menu of organisations; choosing one opens `/` or `/monitoring` for it, in this window only.

    Keeps the organisation in the address (parameter `parameter`) of every page, and in the cookie `cookie` for the
    next window. Other windows of the browser are told of a switch and offer to follow.
    """

    def __init__(self, choices: Sequence[Choice], *, current: str, parameter: str, cookie: str) -> None:
        super().__init__()
        self.props["choices"] = [asdict(choice) for choice in choices]
        self.props["current"] = current
        self.props["parameter"] = parameter
        self.props["cookie"] = cookie
