"""Lists of an entity's rows, without controls."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from components.elements.lists.live_list import LiveList
from components.views.lists.rows import MAX_ROWS
from pages.lists.actions.marks import accept_marks
from pages.page.context import PageContext
from services.entities import Entity, R
from services.lists.stored import StoredRows
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


def related_list(
    page: PageContext,
    entity: Entity[R],
    column: str,
    id: UUID,
    *,
    limit: int = MAX_ROWS,
    empty_text: str | None = None,
) -> LiveList:
    """Show the rows that belong to something, however old, in the entity's default order.

    Args:
        page: The page that is being built.
        entity: Entity whose rows are shown.
        column: Column that says what a row belongs to.
        id: The value of the column.
        limit: Maximum number of rows.
        empty_text: Text of an empty list; the entity's own by default.
    """
    element = LiveList(entity, empty_text=empty_text)
    stored = stored_rows(page, entity, {column: id})
    element.bind_joined_rows(page.window, stored, where=lambda row: getattr(row, column) == id, limit=limit)
    return element


def stored_rows(page: PageContext, entity: Entity[R], only: Mapping[str, UUID]) -> StoredRows[R]:
    """Return the rows of the page's organisation in the database whose columns have these values; all for none."""
    return StoredRows(page.services.database, page.session, entity, page.membership.org_id, only=only)
