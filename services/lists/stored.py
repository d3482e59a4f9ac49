"""The rows of one list in the database, as its user may read them."""

from collections.abc import Collection, Mapping
from typing import Generic
from uuid import UUID

from services.entities import Entity, R
from services.entities.base.listing import Facet
from services.infra.database import Database
from services.lists import counting, pages
from services.lists.conditions import EVERYTHING
from services.lists.counting import GroupCounts, Histogram
from services.lists.pages import Page, Position
from services.lists.query import ListQuery
from services.realtime import Subscriber


class StoredRows(Generic[R]):
    """Reads the rows of an organisation, each time under the claims that the session has by then.

    Every method raises PermissionDenied when the user is no member of the organisation any more, DatabaseUnavailable
    when PostgreSQL did not answer in time, and SessionExpired when the session has ended.

    Args:
        database: Where they are read.
        session: Who reads.
        entity: Whose rows; of a personal entity those of the user.
        org_id: The organisation.
        only: Values that columns of the pages' rows must have; the facets of a query are then ignored.
    """

    def __init__(
        self,
        database: Database,
        session: Subscriber,
        entity: Entity[R],
        org_id: UUID,
        *,
        only: Mapping[str, UUID] = EVERYTHING,
    ) -> None:
        self.entity = entity
        self._database = database
        self._session = session
        self._org_id = org_id
        self._only = only

    async def page(
        self, query: ListQuery[R], after: Position | None = None, *, limit: int = pages.PAGE_ROWS
    ) -> Page[R]:
        """See `read_page`."""
        return await pages.read_page(
            self._database,
            self._session.identity,
            self.entity,
            query,
            self._org_id,
            only=self._only,
            after=after,
            limit=limit,
        )

    async def rows(self, ids: Collection[UUID]) -> dict[UUID, R]:
        """See `read_rows`."""
        return await pages.read_rows(self._database, self._session.identity, self.entity, self._org_id, ids)

    async def matching_ids(self, query: ListQuery[R]) -> list[UUID]:
        """See `pages.matching_ids`."""
        return await pages.matching_ids(self._database, self._session.identity, self.entity, query, self._org_id)

    async def groups(self, query: ListQuery[R]) -> GroupCounts[R]:
        """See `count_groups`."""
        return await counting.count_groups(self._database, self._session.identity, self.entity, query, self._org_id)

    async def options(self, facet: Facet[R], *, chosen: Collection[str] = ()) -> list[tuple[str, str]]:
        """See `read_options`."""
        return await counting.read_options(
            self._database, self._session.identity, self.entity, facet, self._org_id, chosen=chosen
        )

    async def histogram(self, query: ListQuery[R]) -> Histogram | None:
        """See `read_histogram`."""
        return await counting.read_histogram(self._database, self._session.identity, self.entity, query, self._org_id)
