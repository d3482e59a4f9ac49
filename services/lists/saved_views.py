"""Saving, changing and deleting saved views; row-level security decides who may."""

from collections.abc import Mapping
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, delete, update

from services.auth.identity import Identity
from services.entities import OwnView, SharedView
from services.entities.saved_views import MAX_NAME
from services.errors import Conflict, NotAccepted, NotFound
from services.infra.database import Database
from services.infra.postgres.refusals import refusable
from services.text import is_blank


class Listed(Protocol):
    """What views are saved of: the list of an entity, or a board of charts."""

    @property
    def table(self) -> str:
        """Name under which its views are saved."""

    @property
    def label(self) -> str:
        """Its heading."""

    @property
    def plural(self) -> str:
        """What it shows, in small letters."""

    @property
    def path(self) -> str:
        """Path of its page."""


TABLES: dict[bool, type[OwnView] | type[SharedView]] = {False: OwnView, True: SharedView}
"""Tables by whether the views are the organisation's."""


async def save_view(
    database: Database,
    identity: Identity,
    org_id: UUID,
    listed: Listed,
    *,
    name: str,
    query: Mapping[str, str],
    is_shared: bool,
    is_pinned: bool = False,
    is_default: bool = False,
) -> UUID:
    """Save a view of a list under a name, in place of one of the same name; returns its id.

    Raises:
        NotAccepted: The name is empty or too long.
        PermissionDenied: The user may not write views of the organisation.
        Conflict: There are too many views.
    """
    table, name = TABLES[is_shared], valid_name(name)
    values: dict[str, Any] = {"query": dict(query), "is_pinned": is_pinned, "is_default": is_default}
    of_user = [col(OwnView.user_id) == identity.user_id] if table is OwnView else []
    same_list = [col(table.org_id) == org_id, col(table.list) == listed.table, *of_user]
    new: dict[str, Any] = {"org_id": org_id, "list": listed.table, "name": name, **values}
    if table is OwnView:
        new["user_id"] = identity.user_id
    async with refusable(database, identity) as connection:
        if is_default:
            await connection.execute(update(table).where(*same_list, col(table.is_default)).values(is_default=False))
        known = update(table).where(*same_list, col(table.name) == name).values(**values).returning(col(table.id))
        id = (await connection.execute(known)).scalar()
        if id is None:
            id = (await connection.execute(insert(table).values(**new).returning(col(table.id)))).scalar_one()
        return UUID(str(id))


async def change_view(database: Database, identity: Identity, view: OwnView | SharedView, **changes: Any) -> None:
    """Change the name, the query, or whether a view is pinned or the default.

    Raises:
        NotAccepted: The name is empty or too long.
        Conflict: Another view of the list has the name.
        NotFound: The view was deleted, or the user may not change it.
    """
    table = type(view)
    if "name" in changes:
        changes["name"] = valid_name(changes["name"])
    try:
        async with database.as_user(identity) as session:
            if changes.get("is_default"):
                same_list = [col(table.org_id) == view.org_id, col(table.list) == view.list, col(table.is_default)]
                await session.exec(update(table).where(*same_list).values(is_default=False))
            done = await session.exec(update(table).where(col(table.id) == view.id).values(**changes))
            if not done.rowcount:
                raise NotFound(f"The view “{view.name}” was deleted, or your role does not allow to change it.")
    except IntegrityError as error:
        raise Conflict(f"There is a view “{changes.get('name', view.name)}” of this list already.") from error


async def delete_view(database: Database, identity: Identity, view: OwnView | SharedView) -> None:
    """Delete a view; raises NotFound like `change_view`."""
    table = type(view)
    async with database.as_user(identity) as session:
        if not (await session.exec(delete(table).where(col(table.id) == view.id))).rowcount:
            raise NotFound(f"The view “{view.name}” was deleted already, or your role does not allow to delete it.")


def valid_name(name: str) -> str:
    """Return a name without spaces at its ends; raises NotAccepted if it is empty or too long."""
    name = name.strip()
    if is_blank(name):
        raise NotAccepted("A view needs a name. Type one that says what it shows, such as “Failed this week”.")
    if len(name) > MAX_NAME:
        raise NotAccepted(f"The name has {len(name):,} characters. A view's name has at most {MAX_NAME}.")
    return name
