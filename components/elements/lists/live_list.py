"""Live list: rows of one entity as cards or lines, updated in place by batches."""

from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from nicegui.events import GenericEventArguments

from components.elements.handling import HANDLING_JS
from components.elements.lists.first_rows import first_rows
from components.elements.viewers import VIEWERS_JS
from components.presentation.compact_elements import SharedDict
from components.presentation.rows import presenter
from components.presentation.time import epoch_ms
from components.views.lists.joined_rows import Stored
from components.views.lists.reaching_view import bind_joined
from components.views.lists.rows import MAX_ROWS, RowsView
from components.window.batch import Batch
from components.window.live_element import LiveElement
from components.window.view import Link
from components.window.window import Window
from services.entities import ACTIVITIES, SUBJECT_STATUSES, Entity, R, StatusStyleJson
from services.realtime import Delta, FeedStatus

MAX_CHOSEN = 5000


class LiveList(
    LiveElement,
    component="live_list.js",
    dependencies=[VIEWERS_JS, HANDLING_JS, "run_bars.js", "row_templates.js", "selection.js"],
):
    """List of rows, with placeholders until the first batch.

    Emits `live` when the browser has mounted it and needs a `reset`, and `markRead` or `markUnread` with a row's id.
    Values from the browser are untrusted input.

    Args:
        entity: Entity whose rows are shown; its table selects the template in `row_templates.js`.
        table: Value of the attribute `data-table`; the entity's table by default.
        label: Accessible name.
        skeletons: Number of placeholders.
        empty_icon: Material icon of an empty list.
        empty_text: Text of an empty list; an empty string shows nothing.
        pages: Whether the list shows only a part of its rows. It then emits `scroll` (`first`, `reading`) when the user
            scrolls to another part, and `settle` when they request the pending changes.
    """

    def __init__(
        self,
        entity: Entity[Any],
        *,
        table: str | None = None,
        label: str | None = None,
        skeletons: int | None = None,
        empty_icon: str | None = None,
        empty_text: str | None = None,
        pages: bool = False,
    ) -> None:
        super().__init__()
        self.entity = entity
        self.props["template"] = entity.table
        self.props["table"] = table or entity.table
        self.props["path"] = entity.path
        self.props["status-styles"] = SharedDict(status_styles_of(entity))
        self.props["label"] = label or entity.label
        self.props["noun"] = entity.plural
        self.props["skeletons"] = entity.skeletons if skeletons is None else skeletons
        self.props["pages"] = pages
        self.props["empty-icon"] = empty_icon or entity.empty.icon
        self.props["empty-text"] = entity.empty.text if empty_text is None else empty_text
        self.props["offers-connect"] = entity.empty.offers_connect and empty_text is None

    def bind_rows(
        self,
        window: Window,
        *,
        key: Callable[[Any], Any] | None = None,
        where: Callable[[Any], bool] | None = None,
        row_id: UUID | None = None,
        limit: int = MAX_ROWS,
        time_dependent: bool = False,
    ) -> None:
        """Show the entity's rows of the window's organisation or user, on a subscription that ends with the element.

        Args:
            window: Window of the element.
            key: Sort key; the entity's default order by default.
            where: Filter of the rows; all by default.
            row_id: Shows one row, however old.
            limit: Maximum number of rows.
            time_dependent: Whether the result of `where` changes with time alone; probes then filter the rows again.
        """

        def recheck(_: FeedStatus) -> None:
            if time_dependent:
                binding.changed(unchanged(subscription.rows()))

        binding = self.bind(window)
        subscription = window.subscribe(self.entity, on_change=binding.changed, on_status=recheck, row_id=row_id)
        binding.view = RowsView(
            subscription,
            present=presenter(self.entity),
            key=key or self.entity.listing.sorts[0].key,
            where=where,
            limit=limit,
        )
        self.on_delete(subscription.close)

    def bind_joined_rows(
        self, window: Window, stored: Stored[Any], *, where: Callable[[Any], bool], limit: int = MAX_ROWS
    ) -> None:
        """Show the rows that satisfy `where`, in the entity's default order; `stored` has those of the database."""
        sort = self.entity.listing.sorts[0]
        bind_joined(self, window, self.entity, where=where, stored=stored, sort=sort, limit=limit)

    def first_html(self, link: Link, batch: Batch | None) -> str:
        """See `FirstHtml`."""
        return first_rows(self.props, batch, link)

    def set_stale(self, since: datetime | None) -> None:
        """Grey the list and show since when it is stale; None marks it as live.

        The browser marks the list as stale itself while it is disconnected from the server.
        """
        self.run_method("setStale", epoch_ms(since))

    def set_selected(self, id: str | None) -> None:
        """Mark the row with that id as selected, or none."""
        self.props["selected"] = id
        self.update()

    def on_select(self, handler: Callable[[str], object]) -> None:
        """Make a click on a row's name select the row instead of following its link; `handler` receives its id."""
        self.props["selects"] = True

        def selected(event: GenericEventArguments) -> object:
            return handler(str(event.args))

        self.on("select", selected)

    def on_choose(self, handler: Callable[[list[UUID]], object]) -> None:
        """Give the rows checkboxes; `handler` receives the ids of the chosen rows whenever they change."""
        self.props["choosable"] = True

        def chosen(event: GenericEventArguments) -> object:
            ids = event.args if isinstance(event.args, list) else []
            with suppress(ValueError):
                return handler([UUID(str(id)) for id in ids[:MAX_CHOSEN]])
            return None

        self.on("choose", chosen)

    def on_action_key(self, keys: Collection[str], handler: Callable[[str], object]) -> None:
        """Call `handler` with one of `keys` that is pressed in the list while rows are chosen; Delete is `#`."""
        self.props["action-keys"] = list(keys)

        def pressed(event: GenericEventArguments) -> object:
            return handler(event.args) if event.args in keys else None

        self.on("act", pressed)

    def export_chosen(self, path: str) -> None:
        """Have the browser download an export of the chosen rows, whose ids it posts to a path of the app."""
        self.run_method("exportChosen", path)

    def on_export_failed(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the reason why an export of chosen rows failed, as a sentence."""
        self.on("exportFailed", lambda event: handler(str(event.args)[:500]))

    def set_leaving(self, ids: Collection[UUID], *, is_leaving: bool) -> None:
        """Fade rows that will be deleted, until they are or are kept after all."""
        self.run_method("setLeaving", [str(id) for id in ids], is_leaving)

    def start_choosing(self) -> None:
        """Show the checkboxes of all rows."""
        self.run_method("choose")

    def clear_chosen(self) -> None:
        """Choose no row."""
        self.run_method("clearChosen")

    def on_back(self, handler: Callable[[], object]) -> None:
        """Call `handler` when the user wants what is older than the list can hold."""
        self.on("back", lambda _: handler())

    def on_mark_read(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the row that the user marks as read."""
        self.on("markRead", lambda event: handler(str(event.args)))

    def on_mark_unread(self, handler: Callable[[str], object]) -> None:
        """Call `handler` with the id of the row that the user marks as unread."""
        self.on("markUnread", lambda event: handler(str(event.args)))


def status_styles_of(entity: Entity[Any]) -> dict[str, StatusStyleJson]:
    """Return the styles of an entity's statuses by value; those of activities by `<subject table>/<status>`."""
    if entity is not ACTIVITIES:
        return entity.statuses.styles()
    return {
        f"{subject}/{status}": style
        for subject, enums in SUBJECT_STATUSES.items()
        for statuses in enums
        for status, style in statuses.styles().items()
    }


def unchanged(rows: list[R]) -> list[Delta[R]]:
    """Return deltas that mark rows as dirty without changing them."""
    return [Delta(id=row.id, old=row, new=row) for row in rows]
