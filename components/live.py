"""The seam between subscriptions and browser windows: what changed is collected and sent once a frame."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, Generic, Protocol
from uuid import UUID

import structlog
from nicegui import ui
from nicegui.events import GenericEventArguments

from components.pacing import Paced, Pacer
from services.entities import Entity, R
from services.models import ConnectionStatus
from services.realtime import Delta, FeedStatus, Lessee, RealtimeService, Subscription
from services.realtime.status import worst

logger = structlog.get_logger(__name__)

Batch = dict[str, Any]


class View(Protocol):
    """What a live element shows. Both methods return the element's batch, or None for nothing to send."""

    def full(self) -> Batch | None:
        """Everything, for an element that has just come or was stale."""

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        """What differs since the last batch, given the ids of the rows that changed."""


class Window(ui.element, component="live_root.js"):
    """One browser window: sends what its views have to say in one message a frame, while somebody can see it.

    A window that is hidden or away is sent nothing; its views are stale and go out in full once it is seen again.
    Must be built within the page; it ends with it.
    """

    def __init__(self, service: RealtimeService, session: Lessee, pacer: Pacer) -> None:
        super().__init__()
        self.service = service
        self.session = session
        self.is_seen = False
        self._lives: list[Live] = []
        self._subscriptions: list[Subscription[Any]] = []
        self._status: ConnectionStatus | None = None
        self._paced = Paced(pacer, self._flush)
        self.on("seen", self._on_seen)

    def subscribe(self, entity: Entity[R], scope_id: UUID, **options: Any) -> Subscription[R]:
        """A lease that counts for this window's connection status. Whoever takes it closes it, or the window does."""
        on_status = options.pop("on_status", None)

        def status_changed(status: FeedStatus) -> None:
            self.touch()
            if on_status:
                on_status(status)

        subscription = self.service.subscribe(
            entity, scope_id, session=self.session, on_status=status_changed, **options
        )
        self._subscriptions = [each for each in self._subscriptions if not each.is_closed] + [subscription]
        return subscription

    def status(self) -> FeedStatus:
        """The worst status among this window's leases."""
        return worst([each.status for each in self._subscriptions if not each.is_closed])

    def add(self, live: "Live") -> None:
        """Serve a view."""
        self._lives.append(live)

    def discard(self, live: "Live") -> None:
        """Serve a view no more; idempotent."""
        self._lives = [each for each in self._lives if each is not live]

    def touch(self) -> None:
        """Something is to be sent."""
        if self.is_seen:
            self._paced.mark()

    def _on_seen(self, event: GenericEventArguments) -> None:
        self.is_seen = bool(event.args.get("visible"))
        for live in self._lives:
            live.is_stale = True
        self.touch()

    def _flush(self) -> None:
        if not self.client.has_socket_connection:
            self.is_seen = False
            for live in self._lives:
                live.is_stale = True
            return
        batches = []
        for live in self._lives:
            try:
                batch = live.take()
            except Exception:
                logger.exception("a view failed", element=type(live.element).__name__)
                continue
            if batch is not None:
                batches.append([live.element.id, batch])
        status = self._live_status()
        if batches or status != self._status:
            self._status = status
            self.run_method("apply", batches, status)

    def _live_status(self) -> ConnectionStatus | None:
        """What the body's `data-live` says: connected only once rows are there."""
        open_leases = [each for each in self._subscriptions if not each.is_closed]
        if not open_leases:
            return None
        status = worst([each.status for each in open_leases]).status
        is_loaded = all(each.is_loaded for each in open_leases)
        return status if is_loaded or status is not ConnectionStatus.CONNECTED else ConnectionStatus.CONNECTING

    def _handle_delete(self) -> None:
        self._paced.cancel()
        for subscription in self._subscriptions:
            subscription.close()
        super()._handle_delete()


class Live:
    """One view bound to one element: collects the ids that changed until the window's frame.

    The element must emit `live` once it is mounted, and offer the method `apply(batch)`. Ends with the element.
    """

    def __init__(self, window: Window, element: ui.element, view: View) -> None:
        self.element = element
        self.is_stale = True
        self._window = window
        self._view = view
        self._is_mounted = False
        self._dirty: set[UUID] = set()
        window.add(self)
        element.on("live", self._on_live)

    def changed(self, deltas: Iterable[Delta[Any]]) -> None:
        """Rows changed."""
        self._dirty.update(delta.id for delta in deltas)
        self._window.touch()

    def refresh(self) -> None:
        """Everything may have changed: the filter, the order, what is known."""
        self.is_stale = True
        self._window.touch()

    def take(self) -> Batch | None:
        """What to send now."""
        if not self._is_mounted:
            return None
        if self.is_stale:
            batch = self._view.full()
            self.is_stale = batch is None
        elif self._dirty:
            batch = self._view.patch(self._dirty)
        else:
            return None
        self._dirty = set()
        return batch

    def close(self) -> None:
        """End; idempotent."""
        self._window.discard(self)

    def _on_live(self) -> None:
        self._is_mounted = True
        self.refresh()


class RowsView(Generic[R]):
    """The rows of a subscription that pass `where`, sorted by `key`, at most `limit`, as the element's dicts."""

    def __init__(
        self,
        subscription: Subscription[R],
        *,
        present: Callable[[R], dict[str, Any]],
        key: Callable[[R], Any],
        where: Callable[[R], bool] | None = None,
        limit: int = 200,
    ) -> None:
        self.subscription = subscription
        self.where = where
        self.key = key
        self.limit = limit
        self._present = present
        self._sent: dict[UUID, dict[str, Any]] = {}
        self._keys: dict[UUID, Any] = {}
        self._order: list[UUID] = []

    def full(self) -> Batch | None:
        if not self.subscription.is_loaded:
            return None
        rows = self._rows()
        self._order = [row.id for row in rows]
        self._keys = {row.id: self.key(row) for row in rows}
        self._sent = {row.id: self._present(row) for row in rows}
        return {
            "reset": {
                "order": [str(id) for id in self._order],
                "rows": {str(id): fields for id, fields in self._sent.items()},
            }
        }

    def patch(self, dirty: Collection[UUID]) -> Batch | None:
        moved = False
        patches: dict[str, dict[str, Any]] = {}
        for id in dirty:
            row = self.subscription.get(id)
            shown = row is not None and (self.where is None or self.where(row))
            if not shown or row is None:
                moved = moved or id in self._sent
                continue
            if id not in self._sent or self._keys[id] != self.key(row):
                moved = True
            if id in self._sent:
                self._set(row, patches)
        batch: Batch = {}
        if moved:
            rows = self._rows()
            order = [row.id for row in rows]
            for row in rows:
                if row.id not in self._sent:
                    self._set(row, patches)
                self._keys[row.id] = self.key(row)
            for gone in self._sent.keys() - set(order):
                del self._sent[gone], self._keys[gone]
                patches.pop(str(gone), None)
            if order != self._order:
                self._order = order
                batch["order"] = [str(id) for id in order]
        if patches:
            batch["set"] = patches
        return batch or None

    def _set(self, row: R, patches: dict[str, dict[str, Any]]) -> None:
        fields = self._present(row)
        sent = self._sent.get(row.id, {})
        changed = {name: value for name, value in fields.items() if name not in sent or sent[name] != value}
        self._sent[row.id] = fields
        if changed:
            patches[str(row.id)] = changed

    def _rows(self) -> list[R]:
        rows = [row for row in self.subscription.rows() if self.where is None or self.where(row)]
        rows.sort(key=self.key)
        return rows[: self.limit]


def live_rows(
    window: Window,
    element: ui.element,
    entity: Entity[R],
    scope_id: UUID,
    *,
    present: Callable[[R], dict[str, Any]],
    key: Callable[[R], Any],
    where: Callable[[R], bool] | None = None,
    limit: int = 200,
) -> RowsView[R]:
    """Bind a list element to an entity's rows; the lease ends with the element."""
    live: Live | None = None

    def changed(deltas: list[Delta[R]]) -> None:
        if live:
            live.changed(deltas)

    subscription = window.subscribe(entity, scope_id, on_change=changed)
    view = RowsView(subscription, present=present, key=key, where=where, limit=limit)
    live = Live(window, element, view)
    end_with(element, live.close, subscription.close)
    return view


def end_with(element: ui.element, *closes: Callable[[], None]) -> None:
    """Call `closes` when the element goes, be it by navigation or with its window."""
    handle_delete = element._handle_delete

    def ended() -> None:
        for close in closes:
            close()
        handle_delete()

    element._handle_delete = ended  # type: ignore[method-assign]  # NiceGUI offers no event for it
