"""The seam between subscriptions and browser windows: what changed is collected and sent once a frame."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import structlog
from nicegui import ui
from nicegui.events import GenericEventArguments

from components.batch import Batch
from components.pacing import Paced, Pacer
from components.views import ConnectionsView, Counter, CountsView, RowsView, View
from services.entities import Entity, R, Scope
from services.models import ConnectionStatus
from services.realtime import Delta, FeedStatus, Lessee, RealtimeService, Subscription
from services.realtime.status import worst

logger = structlog.get_logger(__name__)


class Window(ui.element, component="live_root.js"):
    """One browser window: sends what its views have to say in one message a frame, while somebody can see it.

    It looks at one organisation, `org_id`, and at what is addressed to the session's user. A window that is hidden or
    away is sent nothing; its views are stale and go out in full once it is seen again. Must be built within the page;
    it ends with it.
    """

    def __init__(self, service: RealtimeService, session: Lessee, pacer: Pacer, *, org_id: UUID) -> None:
        super().__init__()
        self.org_id = org_id
        self._service = service
        self._session = session
        self.is_seen = False
        self._lives: list[Live] = []
        self._status_lives: list[Live] = []
        self._subscriptions: list[Subscription[Any]] = []
        self._status: ConnectionStatus | None = None
        self._paced = Paced(pacer, self._flush)
        self.on("seen", self._on_seen)

    def subscribe(
        self,
        entity: Entity[R],
        *,
        on_change: Callable[[list[Delta[R]]], None] | None = None,
        on_status: Callable[[FeedStatus], None] | None = None,
    ) -> Subscription[R]:
        """A lease that counts for this window's connection status. Whoever takes it closes it, or the window does."""

        def status_changed(status: FeedStatus) -> None:
            for live in self._status_lives:
                live.refresh()
            self.touch()
            if on_status:
                on_status(status)

        scope_id = self.org_id if entity.scope is Scope.ORG else self._session.identity.user_id
        subscription = self._service.subscribe(
            entity, scope_id, session=self._session, on_change=on_change, on_status=status_changed
        )
        self._subscriptions = [*self._open_leases(), subscription]
        return subscription

    def status(self, scope: Scope | None = None) -> FeedStatus:
        """The worst status among this window's leases, or those of one scope."""
        return worst([each.status for each in self._open_leases() if scope in (None, each.topic.scope)])

    def add(self, live: "Live", *, follows_status: bool = False) -> None:
        """Serve a view; one that `follows_status` is refreshed with every change of a status."""
        self._lives.append(live)
        if follows_status:
            self._status_lives.append(live)

    def discard(self, live: "Live") -> None:
        """Serve a view no more; idempotent."""
        self._lives = [each for each in self._lives if each is not live]
        self._status_lives = [each for each in self._status_lives if each is not live]

    def touch(self) -> None:
        """Something is to be sent."""
        if self.is_seen:
            self._paced.mark()

    def renew(self) -> None:
        """Have the browser fetch its session cookie anew: the tokens have changed."""
        self.run_method("renew")

    def leave(self, reason: str) -> None:
        """Send the window to the sign-in page, which says why."""
        self.run_method("leave", reason)

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
        open_leases = self._open_leases()
        if not open_leases:
            return None
        status = self.status().status
        is_loaded = all(each.is_loaded for each in open_leases)
        return status if is_loaded or status is not ConnectionStatus.CONNECTED else ConnectionStatus.CONNECTING

    def _open_leases(self) -> list[Subscription[Any]]:
        return [each for each in self._subscriptions if not each.is_closed]

    def _handle_delete(self) -> None:
        self._paced.cancel()
        for subscription in self._subscriptions:
            subscription.close()
        super()._handle_delete()


class Live:
    """One view bound to one element: collects the ids that changed until the window's frame.

    The element must emit `live` once it is mounted, and offer the method `apply(batch)`. Ends with the element.
    """

    def __init__(self, window: Window, element: ui.element, *, follows_status: bool = False) -> None:
        self.element = element
        self.is_stale = True
        self.view: View | None = None
        self._window = window
        self._is_mounted = False
        self._dirty: set[UUID] = set()
        window.add(self, follows_status=follows_status)
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
        if not self._is_mounted or self.view is None:
            return None
        if self.is_stale:
            batch = self.view.full()
            self.is_stale = batch is None
        elif self._dirty:
            batch = self.view.patch(self._dirty)
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


def live_rows(
    window: Window,
    element: ui.element,
    entity: Entity[R],
    *,
    present: Callable[[R], dict[str, Any]],
    key: Callable[[R], Any],
    where: Callable[[R], bool] | None = None,
    limit: int = 200,
) -> RowsView[R]:
    """Bind a list element to an entity's rows that pass `where`, sorted by `key`; the lease ends with the element."""
    live = Live(window, element)
    subscription = window.subscribe(entity, on_change=live.changed)
    live.view = view = RowsView(subscription, present=present, key=key, where=where, limit=limit)
    end_with(element, live.close, subscription.close)
    return view


def live_counts(window: Window, element: ui.element, counters: Sequence[Counter]) -> None:
    """Bind a StatGrid to counters over entities' rows; the leases, one an entity, end with the element."""
    live = Live(window, element)
    entities = {counter.entity.table: counter.entity for counter in counters}
    subscriptions = {table: window.subscribe(entity, on_change=live.changed) for table, entity in entities.items()}
    live.view = CountsView(counters, subscriptions)
    end_with(element, live.close, *(subscription.close for subscription in subscriptions.values()))


def live_connections(window: Window, element: ui.element, scopes: Mapping[str, Scope | None]) -> None:
    """Bind connection chips, by name, to the status of the window's leases of a scope, or of all."""
    live = Live(window, element, follows_status=True)
    live.view = ConnectionsView(lambda: {name: window.status(scope) for name, scope in scopes.items()})
    end_with(element, live.close)


def end_with(element: ui.element, *closes: Callable[[], None]) -> None:
    """Call `closes` when the element goes, be it by navigation or with its window."""
    handle_delete = element._handle_delete

    def ended() -> None:
        for close in closes:
            close()
        handle_delete()

    element._handle_delete = ended  # type: ignore[method-assign]  # NiceGUI offers no event for it
