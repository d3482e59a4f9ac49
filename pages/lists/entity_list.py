"""Lists of an entity's rows, without controls."""

from collections.abc import Callable
from typing import Any

from components.elements.lists.live_list import LiveList
from components.views.rows import MAX_ROWS
from pages.lists.marks import accept_marks
from pages.page.context import PageContext
from services.entities import Entity, R
from services.people.inbox import INBOXES


def entity_list(
    page: PageContext,
    entity: Entity[R],
    *,
    where: Callable[[R], bool] | None = None,
    key: Callable[[R], Any] | None = None,
    limit: int = MAX_ROWS,
    empty_text: str | None = None,
    skeletons: int | None = None,
    time_dependent: bool = False,
) -> LiveList:
    """Show an entity's rows in its default order; alerts and notifications can be marked as read.

    Args:
        page: The page that is being built.
        entity: Entity whose rows are shown.
        where: Filter of the rows; all by default.
        key: Sort key; the entity's default order by default.
        limit: Maximum number of rows.
        empty_text: Text of an empty list; the entity's own by default, an empty string shows nothing.
        skeletons: Number of placeholders; the entity's own by default.
        time_dependent: Whether the result of `where` changes with time alone.
    """
    element = LiveList(entity, empty_text=empty_text, skeletons=skeletons)
    element.bind_rows(page.window, key=key, where=where, limit=limit, time_dependent=time_dependent)
    if inbox := INBOXES.get(entity.table):
        accept_marks(page, element, inbox)
    return element
