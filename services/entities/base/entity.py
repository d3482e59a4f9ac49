"""The descriptors of live and of monitored tables, and the topics that their changes arrive on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic
from uuid import UUID

from services.entities.base.layout import EmptyState, RowLayout
from services.entities.base.listing import ListSpec
from services.entities.base.row import R
from services.entities.base.status import StyledStatus


class Scope(StrEnum):
    """Who shares a topic: the members of an organisation, or one user."""

    ORG = "org"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Topic:
    """The scope of one upstream channel; as text `org:<uuid>` or `user:<uuid>`, as the database's triggers name it."""

    scope: Scope
    id: UUID

    def __str__(self) -> str:
        return f"{self.scope}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LiveTable(Generic[R]):
    """One table whose rows a feed holds and keeps equal to the database.

    Args:
        table: Name of the table in the schema `public`.
        model: Model of its rows.
        scope: Whose topic its changes arrive on.
        order: SQL order of a snapshot, most wanted rows first; of a monitored table a time and `desc`.
        unfinished_first: Whether a snapshot has all runs that have not ended, before others.
        limit: Number of rows that a feed holds at most.
        grouping: SQL expressions by field, in which rows must agree to count alike: all that its chips and its counters
            read. The database counts by them what a feed does not hold; without one such counts are lower bounds.
        interval: Minimum seconds between two deliveries of changes to windows, for rows that change in step.
    """

    table: str
    model: type[R]
    scope: Scope
    order: str
    limit: int
    grouping: Mapping[str, str] | None = None
    interval: float = 0.0
    unfinished_first: bool = False

    @property
    def recent(self) -> str:
        """Column of the time by which a feed holds the latest rows."""
        return self.order.removesuffix(" desc")

    def topic(self, scope_id: UUID) -> Topic:
        """The topic of this table for the organisation or user `scope_id`."""
        return Topic(self.scope, scope_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entity(LiveTable[R]):
    """A live table that is monitored: lists, details, exports, hooks and tests follow from this declaration.

    Args:
        label: Heading of its lists and its tab, in the plural.
        noun: One row, in the singular and in small letters.
        statuses: Enum of its status.
        layout: The parts of a row on the page.
        listing: Search, facets and sorts.
        empty: What a list without rows shows.
        tab: Path of its tab below /monitoring, for instance "/agents"; None for no tab.
        page: Path of the page that lists its rows; that of the tab by default.
        row_page: Path of the page of one row, with `{id}` for its id; by default the list that selects it.
        has_details: Whether a row opens in full beside its list.
        skeletons: Number of placeholder rows while it loads.
        is_read_only: Whether the database alone writes its rows.
    """

    label: str
    noun: str
    statuses: type[StyledStatus]
    layout: RowLayout[R]
    listing: ListSpec[R]
    empty: EmptyState
    tab: str | None = None
    page: str | None = None
    row_page: str | None = None
    has_details: bool = True
    skeletons: int = 3
    is_read_only: bool = False

    @property
    def plural(self) -> str:
        """Its rows, in small letters."""
        return f"{self.noun}s"

    @property
    def path(self) -> str:
        """Path of the page that lists its rows, and shows one row with the parameter `selected`."""
        return self.page or f"/monitoring{(self.tab or '').rstrip('/')}"

    @property
    def row_path(self) -> str:
        """Path that shows one row, with `{id}` for its id."""
        return self.row_page or f"{self.path}?selected={{id}}"
