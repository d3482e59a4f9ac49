"""How the rows of an entity look: title, note, status, progress, time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic

from services.entities.base.row import R
from services.entities.base.status import StyledStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLayout(Generic[R]):
    """The parts of a row on the page; a part that is left out is not shown.

    Args:
        title: Returns the name of the row.
        status: Returns its status.
        note: Returns a line below the title.
        progress: Returns what is done in percent, 0 to 100; None where it is not known.
        time: Returns the time that the row is about; its creation by default.
    """

    title: Callable[[R], str]
    status: Callable[[R], StyledStatus | None]
    note: Callable[[R], str | None] = lambda _: None
    progress: Callable[[R], float | None] = lambda _: None
    time: Callable[[R], datetime | None] = lambda row: row.created_at


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptyState:
    """What a list without rows shows: a Material icon and a sentence.

    `offers_connect` adds a link to the page that explains how to report from one's own code.
    """

    icon: str
    text: str
    offers_connect: bool = False
