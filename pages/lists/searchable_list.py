"""Lists with search, filters and sorting, whose query is part of the URL."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Generic
from uuid import UUID

from components.elements.lists.list_controls import ListControls
from components.elements.lists.live_list import LiveList
from components.elements.lists.query_list import QueryList
from components.shell.feedback import tell_error
from components.views.lists.controls import Labels
from pages.lists.actions.chosen import chosen_actions
from pages.lists.actions.marks import accept_marks, mark_all
from pages.lists.actions.selection import selection_bar
from pages.lists.actions.tidying import tidy_menu
from pages.lists.detail_panel import DetailPanel
from pages.lists.entity_list import stored_rows
from pages.lists.views_menu import ViewsMenu
from pages.page.context import PageContext
from pages.page.membership import ORG_PARAMETER
from services.entities import Entity, R
from services.entities.base.listing import UNREAD_FACET
from services.errors import LivewatchError
from services.history.tidying import is_run
from services.lists.query import ListQuery
from services.lists.stored import StoredRows
from services.people.inbox import INBOXES
from services.text import visible_name


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
    stored = stored_rows(page, entity, {})
    rows = QueryList(page.window, controls, element, stored=stored, query=query, labels=labels)
    if is_run(entity):
        with controls.tools:
            tidy_menu(page, entity, partial(_matching, rows, stored), on_choose=element.start_choosing)
    follower = _UrlFollower(page, entity, rows, query, panel)
    with controls.tools:
        views = ViewsMenu(
            page,
            entity,
            lambda: rows.query.params,
            lambda params: follower.choose(ListQuery.parse(entity.listing, params)),
        )
    follower.on_chosen = views.show
    element.on_delete(views.close, follower.close)
    follower.take_default()
    controls.on_query(follower.choose)
    controls.on_options(partial(_show_options, controls, rows, stored))
    controls.on_histogram(partial(_show_histogram, controls, rows, stored))
    element.on_back(follower.go_back)
    page.url.listen(follower.follow)
    if inbox:
        accept_marks(page, element, inbox)
        controls.on_mark_all(lambda: _mark_matching(page, entity, rows, stored))
    if actions := chosen_actions(page, entity, element):
        selection_bar(element, entity, actions)
    return rows


async def _matching(rows: QueryList[Any], stored: StoredRows[Any]) -> list[UUID]:
    """Return the ids of all rows that match the query."""
    return await stored.matching_ids(rows.query) if rows.is_partial else rows.shown_ids()


async def _show_options(controls: ListControls, rows: QueryList[Any], stored: StoredRows[Any], name: str) -> None:
    facet = next((each for each in stored.entity.listing.facets if each.name == name and each.label_sql), None)
    if facet is None or not rows.is_partial:
        return
    try:
        options = await stored.options(facet, chosen=rows.query.chosen.get(name, ()))
        controls.show_options(name, [(value, visible_name(label)) for value, label in options])
    except LivewatchError as error:
        tell_error(f"Not all values are offered: {error}")


async def _show_histogram(controls: ListControls, rows: QueryList[Any], stored: StoredRows[Any]) -> None:
    try:
        controls.show_histogram(await stored.histogram(rows.query))
    except LivewatchError as error:
        controls.show_histogram(None, error=f"They could not be counted: {error}")


async def _mark_matching(page: PageContext, entity: Entity[Any], rows: QueryList[Any], stored: StoredRows[Any]) -> None:
    """Mark what matches the query: by its chips in the database, or by the ids of what else selects rows."""
    if rows.query.has_chips_only:
        chosen = {name: values for name, values in rows.query.chosen.items() if name != UNREAD_FACET}
        await mark_all(page, entity, chosen=chosen)
    else:
        await mark_all(page, entity, ids=await _matching(rows, stored))


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
        self._entity = entity
        self._stop_waiting: Callable[[], None] = lambda: None
        self.on_chosen: Callable[[], object] = lambda: None
        """Called after another query was chosen."""

    def close(self) -> None:
        """Stop waiting for the default view; idempotent."""
        self._stop_waiting()

    def take_default(self) -> None:
        """Show the default view of the list, if its address has no query, as soon as the views are known."""
        names = set(self._query.parameter_names)
        if names.isdisjoint(self._page.url.params):
            self._stop_waiting = self._page.views.listen(self._show_default)
            self._show_default()

    def _show_default(self) -> None:
        if not self._page.views.is_loaded:
            return
        self.close()
        if view := self._page.views.default_of(self._entity):
            self._take(ListQuery.parse(self._spec, view.query), is_new=False)

    def choose(self, chosen: ListQuery[Any]) -> None:
        """Apply the user's query and write it to the URL; typing adds no history entries."""
        self.close()
        is_typing = bool(self._query.search) and chosen.search != self._query.search
        self._take(chosen, is_new=not is_typing)

    def _take(self, chosen: ListQuery[Any], *, is_new: bool) -> None:
        self._query = chosen
        self._page.url.set(chosen.params, known=chosen.parameter_names, is_new=is_new)
        self._rows.show(chosen)
        self.on_chosen()

    def go_back(self) -> None:
        """Show what is older than the list can hold."""
        if (query := self._rows.further_back()) is not None:
            self.choose(query)

    def follow(self, params: Mapping[str, str]) -> None:
        """Apply the query in the URL."""
        if self._panel:
            self._panel.follow(params)
        if (asked := ListQuery.parse(self._spec, params)) != self._query:
            self._query = asked
            self._rows.show(asked)
            self.on_chosen()
