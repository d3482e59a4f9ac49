"""Saved views: names for what the address of a list holds, a person's own and those of an organisation."""

from typing import Annotated
from uuid import UUID

from services.entities.base.entity import LiveTable, Scope
from services.entities.base.row import Row, has_length, json_field

MAX_NAME = 80
ViewName = Annotated[str, has_length(MAX_NAME)]


class SavedView(Row):
    """A view of the list of a table: `query` holds the parameters of its address.

    A pinned view is in the sidebar; a default one is what its list shows without parameters, a person's own before that
    of the organisation.
    """

    list: str
    name: ViewName
    query: dict[str, str] = json_field(dict)
    is_pinned: bool = False
    is_default: bool = False


class SharedView(SavedView, table=True):
    """A view of an organisation."""

    __tablename__ = "shared_views"

    created_by: UUID | None = None


class OwnView(SavedView, table=True):
    """A view of one person, in one organisation."""

    __tablename__ = "own_views"

    user_id: UUID


SHARED_VIEWS = LiveTable(table="shared_views", model=SharedView, scope=Scope.ORG, order="created_at desc", limit=500)
OWN_VIEWS = LiveTable(table="own_views", model=OwnView, scope=Scope.USER, order="created_at desc", limit=5000)
