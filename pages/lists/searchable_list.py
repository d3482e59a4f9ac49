"""Lists with search, filters and sorting, whose query is part of the URL."""

from collections.abc import Awaitable, Mapping
from functools import partial
from typing import Any, Generic
from uuid import UUID

from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList
from components.elements.lists.query_list import QueryList
from components.views.controls import Labels
from components.views.list_query import ListQuery
from pages.lists.detail_panel import DetailPanel
from pages.lists.marks import accept_marks, mark_alerts, mark_all, mark_unread
from pages.lists.selection import ChosenAction, export_actions, selection_bar
from pages.lists.tagging import tag_chosen
from pages.lists.tidying import ACTIONS, tidy, tidy_menu
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.entities import ALERTS, AlertStatus, Entity, R
from services.entities.base.listing import UNREAD_FACET
from services.history.tidying import is_run
from services.people.inbox import INBOXES


def searchable_list(page: PageContext, entity: Entity[R], *, labels: Labels | None = None) -> QueryList[R]:
    """Show an entity's rows with search, facets, sorting and export, initialized from the URL.

    If the entity has details, a panel next to the list shows those of the selected row.

    Args:
        page: The page that is being built.
        entity: Entity whose rows are shown.
        labels: Functions that label the values of a facet, by the facet's name.
    """
    export_path = f"/export/{entity.table}.csv?{ORG_PARAMETER}={page.membership.org_id}"
    inbox = INBOXES.get(entity.table)
    controls = ListControls(
        entity.listing, noun=entity.plural, export_path=export_path, offers_mark_all=inbox is not None
    )
    element = LiveList(entity, pages=True)
    panel = DetailPanel(page, element) if entity.has_details else None
    query: ListQuery[R] = ListQuery.parse(entity.listing, page.url.params)
    rows = QueryList(page.window, controls, element, query=query, labels=labels)
    if is_run(entity):
        with controls.tools:
            tidy_menu(page, entity, rows.shown_ids, on_choose=element.start_choosing)
    follower = _UrlFollower(page, entity, rows, query, panel)
    controls.on_query(follower.choose)
    page.url.listen(follower.follow)
    if inbox:
        accept_marks(page, element, inbox)
        controls.on_mark_all(lambda: _mark_matching(page, entity, rows))
    if actions := _chosen_actions(page, entity, element):
        selection_bar(element, entity, actions)
    return rows


async def _mark_matching(page: PageContext, entity: Entity[Any], rows: QueryList[Any]) -> None:
    """Mark what matches the query: in the database, unless only a search of the held rows says what does."""
    chosen = {name: values for name, values in rows.chosen_values().items() if name != UNREAD_FACET}
    await mark_all(page, entity, ids=rows.matching_ids(), chosen=chosen)


def _chosen_actions(page: PageContext, entity: Entity[Any], element: LiveList) -> list[ChosenAction]:
    """Return what the user may do to chosen rows."""
    actions = [*_message_actions(page, entity), *_run_actions(page, entity, element)]
    return [*actions, *export_actions(page, entity, element)] if actions else []


def _message_actions(page: PageContext, entity: Entity[Any]) -> list[ChosenAction]:
    def unread(ids: list[UUID]) -> Awaitable[None]:
        return mark_unread(page, entity, ids)

    if entity.table not in INBOXES:
        return []
    as_unread = ChosenAction(label="Mark as unread", icon="mark_email_unread", act=unread, is_more=entity is ALERTS)
    if entity is not ALERTS:
        read = ChosenAction(label="Mark as read", icon="done", key="m", act=lambda ids: mark_all(page, entity, ids=ids))
        return [read, as_unread]
    # An alert that was read is acknowledged.
    acknowledge, dismiss = (
        partial(mark_alerts, page, status) for status in (AlertStatus.ACKNOWLEDGED, AlertStatus.DISMISSED)
    )
    return [
        ChosenAction(label="Acknowledge", icon="done", key="m", act=acknowledge),
        ChosenAction(label="Dismiss", icon="notifications_off", act=dismiss),
        as_unread,
    ]


def _run_actions(page: PageContext, entity: Entity[Any], element: LiveList) -> list[ChosenAction]:
    if not is_run(entity) or not page.membership.may_write:
        return []
    tag = ChosenAction(label="Tag", icon="sell", key="t", act=partial(tag_chosen, page, entity))
    close, archive, delete = (
        ChosenAction(
            label=action.label if action.can_undo else f"{action.label} …",
            icon=action.icon,
            act=partial(tidy, page, entity, action, element=element),
            key=action.key,
            is_more=not action.can_undo,
        )
        for action in ACTIONS
    )
    return [archive, tag, delete, close]


class _UrlFollower(Generic[R]):
    """Synchronizes the query of a list with the URL."""

    def __init__(
        self, page: PageContext, entity: Entity[R], rows: QueryList[R], query: ListQuery[R], panel: DetailPanel | None
    ) -> None:
        self._page = page
        self._spec = entity.listing
        self._rows = rows
        self._query = query
        self._panel = panel

    def choose(self, chosen: ListQuery[Any]) -> None:
        """Apply the user's query and write it to the URL; typing adds no history entries."""
        is_typing = bool(self._query.search) and chosen.search != self._query.search
        self._query = chosen
        names = ("q", "sort", *(facet.name for facet in self._spec.facets))
        self._page.url.set(chosen.params, known=names, is_new=not is_typing)
        self._rows.show(chosen)

    def follow(self, params: Mapping[str, str]) -> None:
        """Apply the query in the URL."""
        if self._panel:
            self._panel.follow(params)
        if (asked := ListQuery.parse(self._spec, params)) != self._query:
            self._query = asked
            self._rows.show(asked)
