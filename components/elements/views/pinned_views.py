"""The pinned views in the sidebar, with the number of rows that match each."""

from collections.abc import Callable, Collection
from typing import Any
from uuid import UUID

from components.elements.figures.counters import COUNT_SECONDS
from components.views.lists.query_counts import Counted
from components.views.lists.saved_views import SavedViews, View, address_of
from components.views.lists.view_counts import ViewCount
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from components.window.window import Window
from services.analytics.board import BOARDS
from services.entities import ENTITIES, Entity
from services.lists.query import ListQuery
from services.lists.saved_views import Listed
from services.text import visible_name

LISTED: tuple[Listed, ...] = (*ENTITIES, BOARDS)
BY_TABLE = {listed.table: listed for listed in LISTED}
MAX_PINNED = 12


class PinnedViews(LiveElement, component="pinned_views.js"):
    """Links to the pinned views, those of lists with a live count; nothing without any."""

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`; the views are shown once they are live."""
        return ""

    def bind_views(self, window: Window, views: SavedViews, stored: Callable[[Entity[Any]], Counted[Any]]) -> None:
        """Show the pinned views of a window; `stored` returns what counts an entity's rows in the database."""
        binding = self.bind(window, interval=COUNT_SECONDS)
        view = _PinnedViewsView(window, views, stored, on_news=lambda: binding.changed(()))
        binding.view = view
        self.on_delete(views.listen(view.follow), view.close)


class _PinnedViewsView:
    def __init__(
        self,
        window: Window,
        views: SavedViews,
        stored: Callable[[Entity[Any]], Counted[Any]],
        *,
        on_news: Callable[[], object],
    ) -> None:
        self._window = window
        self._views = views
        self._stored = stored
        self._on_news = on_news
        self._pinned: list[View] = []
        self._counts: dict[UUID, tuple[object, ViewCount[Any]]] = {}
        self._sent: list[dict[str, Any]] | None = None

    def follow(self) -> None:
        """Take the views as they are now."""
        self._pinned = [view for view in self._views.all() if view.is_pinned and view.list in BY_TABLE][:MAX_PINNED]
        kept = {view.id: tuple(sorted(view.query.items())) for view in self._pinned}
        for id in [id for id, (query, _) in self._counts.items() if kept.get(id) != query]:
            self._counts.pop(id)[1].close()
        for view in self._pinned:
            listed = BY_TABLE[view.list]
            if view.id not in self._counts and isinstance(listed, Entity):
                self._counts[view.id] = (kept[view.id], self._count_of(view, listed))
        self._on_news()

    def close(self) -> None:
        """End all counts; idempotent."""
        for _, count in self._counts.values():
            count.close()
        self._counts.clear()

    def full(self) -> Batch | None:
        self._sent = None
        return self.patch(())

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        shown = [self._fields(view) for view in self._pinned]
        if shown == self._sent:
            return None
        self._sent = shown
        return {"set": {"views": {"all": shown}}}

    def _fields(self, view: View) -> dict[str, Any]:
        listed = BY_TABLE[view.list]
        about = {"id": str(view.id), "name": visible_name(view.name), "list": listed.label, "noun": listed.plural}
        count = self._counts[view.id][1].fields() if view.id in self._counts else {"count": None, "is_exact": True}
        return about | {"href": address_of(listed, view), **count}

    def _count_of(self, view: View, entity: Entity[Any]) -> ViewCount[Any]:
        query: ListQuery[Any] = ListQuery.parse(entity.listing, view.query)
        return ViewCount(
            lambda changed: self._window.subscribe(entity, on_change=changed),
            self._stored(entity),
            query,
            on_news=self._on_news,
        )
