"""One browser window: what changed is collected and sent to it once a frame."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from nicegui import ui
from nicegui.events import GenericEventArguments

from components.views.counts import View
from components.window.batch import Payload
from components.window.flow_control import FlowControl
from components.window.frame_scheduler import FrameScheduler, ScheduledFlush
from components.window.frame_transport import send_frame
from components.window.scripts import SHARED_JS
from services.entities import ConnectionStatus
from services.entities.entity import Entity, R, Scope
from services.realtime import Delta, FeedStatus, RealtimeService, Subscriber, Subscription
from services.realtime.status import worst

logger = structlog.get_logger(__name__)


class FramePart(Protocol):
    """Something that a window serves once a frame."""

    def collect(self) -> tuple[int, Payload] | None:
        """The id of an element and what to send to it, if there is something."""

    def refresh(self) -> None:
        """Everything may have changed, or the window has missed something."""


class Window(ui.element, component="window.js", dependencies=[SHARED_JS]):
    """One browser window: sends what its views have to say in one message a frame, while somebody can see it.

    It looks at one organisation, `org_id`, and at what is addressed there to the session's user. A window that is away
    is sent nothing, and one that is hidden only what is also for those who do not look; the other views are stale and
    go out in full once it is seen again. One that takes its frames slowly is sent fewer of them. Must be built within
    the page; it ends with it.
    """

    def __init__(
        self, service: RealtimeService, session: Subscriber, scheduler: FrameScheduler, *, org_id: UUID
    ) -> None:
        super().__init__()
        self.org_id = org_id
        self._service = service
        self.session = session
        self.is_visible = False
        self.is_attached = False
        self._is_held = False
        self._parts: list[FramePart] = []
        self._followers: list[FramePart] = []
        self.background_parts: list[FramePart] = []
        self._subscriptions: list[Subscription[Any]] = []
        self._status: ConnectionStatus | None = None
        self._is_status_due = True
        self.flow = FlowControl()
        self.began_at = datetime.now(UTC)
        self._scheduler = scheduler
        scheduler.windows.add(self)
        self._flush_schedule = ScheduledFlush(scheduler, self._flush, least=lambda: self.flow.interval)
        self.on("seen", self._on_seen)
        self.on("acked", self._on_ack)

    def subscribe(
        self,
        entity: Entity[R],
        *,
        on_change: Callable[[list[Delta[R]]], None] | None = None,
        on_status: Callable[[FeedStatus], None] | None = None,
        where: Callable[[R], bool] | None = None,
    ) -> Subscription[R]:
        """A subscription that counts for this window's connection status. Whoever takes it closes it, or the window does.

        Of what is addressed to the user it has the rows of this window's organisation.
        """

        def status_changed(status: FeedStatus) -> None:
            self._is_status_due = True
            for part in self._followers:
                part.refresh()
            self.mark_dirty()
            if on_status:
                on_status(status)

        def is_of_here(row: R) -> bool:
            return row.org_id == self.org_id and (where is None or where(row))

        self._is_status_due = True
        is_shared = entity.scope is Scope.ORG
        subscription = self._service.subscribe(
            entity,
            self.org_id if is_shared else self.session.identity.user_id,
            session=self.session,
            on_change=on_change,
            on_status=status_changed,
            where=where if is_shared else is_of_here,
        )
        self._subscriptions = [*self.subscriptions(), subscription]
        return subscription

    def subscriptions(self) -> list[Subscription[Any]]:
        """This window's open subscriptions."""
        return [each for each in self._subscriptions if not each.is_closed]

    def status(self, scope: Scope | None = None) -> FeedStatus:
        """The worst status among this window's subscriptions, or those of one scope."""
        return worst([each.status for each in self.subscriptions() if scope in (None, each.topic.scope)])

    def add(self, part: FramePart, *, follows_status: bool = False, deliver_when_hidden: bool = False) -> None:
        """Serve a part; one that `follows_status` is refreshed with every change of a status.

        One that is `deliver_when_hidden` is for those too who do not look: a sound, the title of the tab.
        """
        self._parts.append(part)
        if follows_status:
            self._followers.append(part)
        if deliver_when_hidden:
            self.background_parts.append(part)

    def discard(self, part: FramePart) -> None:
        """Serve a part no more; idempotent."""
        self._parts = [each for each in self._parts if each is not part]
        self._followers = [each for each in self._followers if each is not part]
        self.background_parts = [each for each in self.background_parts if each is not part]

    def mark_dirty(self, *, deliver_when_hidden: bool = False) -> None:
        """Something is to be sent."""
        if self.is_visible or (deliver_when_hidden and self.is_attached):
            self._flush_schedule.schedule()

    @property
    def is_connected(self) -> bool:
        """Whether a browser is there."""
        return bool(self.client.has_socket_connection)

    def renew(self) -> None:
        """Have the browser fetch its session cookie anew: the tokens have changed."""
        self.run_method("renew")

    def leave(self, reason: str) -> None:
        """Send the window to the sign-in page, which says why."""
        self.run_method("leave", reason)

    def announce_end(self) -> None:
        """Tell the browser that the server goes, so that it does not take that for a fault."""
        self.run_method("closing")

    def go(self, path: str, *, is_new: bool) -> None:
        """Have the browser's address say `path`, as a new entry of its history or in place of the present one."""
        self.run_method("go", path, is_new)

    def _on_seen(self, event: GenericEventArguments) -> None:
        self.is_visible = bool(event.args.get("visible"))
        self.is_attached = True
        self._status = None
        self._is_status_due = True
        self.flow.reset()
        for part in self._parts:
            part.refresh()

    def _on_ack(self, event: GenericEventArguments) -> None:
        if self.flow.acked(event.args) and self._is_held:
            self._flush_schedule.schedule()

    def _flush(self) -> None:
        if not self.client.has_socket_connection:
            # Nobody is there; whoever comes back reports as seen, and then gets everything.
            self.is_visible = self.is_attached = False
            return
        self._is_held = self.flow.is_blocked
        if self._is_held:
            return
        batches = []
        for part in list(self._parts if self.is_visible else self.background_parts):
            try:
                if acked := part.collect():
                    batches.append(acked)
            except Exception:
                logger.exception("a part of a window failed", part=type(part).__name__)
        status = self._live_status() if self.is_visible and self._is_status_due else self._status
        self._is_status_due = self._is_status_due and not self.is_visible
        news = status if status != self._status else None
        if batches or news:
            self._status = status
            self._scheduler.frames += 1
            send_frame(self.client, batches, status=news, ack_id=self.flow.request_ack())

    def _live_status(self) -> ConnectionStatus | None:
        """What the body's `data-live` says: connected only once rows are there."""
        open_leases = self.subscriptions()
        if not open_leases:
            return None
        status = self.status().status
        is_loaded = all(each.is_loaded for each in open_leases)
        return status if is_loaded or status is not ConnectionStatus.CONNECTED else ConnectionStatus.CONNECTING

    def _handle_delete(self) -> None:
        self._flush_schedule.cancel()
        self._scheduler.windows.discard(self)
        for subscription in self._subscriptions:
            subscription.close()
        super()._handle_delete()


class LiveBinding:
    """One view bound to one element: collects the ids that changed until the window's frame.

    The element must emit `live` once it is mounted, and offer the method `apply(batch)`. Ends with the element.
    """

    def __init__(
        self, window: Window, element: ui.element, *, follows_status: bool = False, deliver_when_hidden: bool = False
    ) -> None:
        self.view: View | None = None
        self._element = element
        self._is_stale = True
        self._window = window
        self._is_mounted = False
        self._dirty: set[UUID] = set()
        self._deliver_when_hidden = deliver_when_hidden
        window.add(self, follows_status=follows_status, deliver_when_hidden=deliver_when_hidden)
        element.on("live", self._on_live)

    def changed(self, deltas: Iterable[Delta[Any]]) -> None:
        """Rows changed."""
        self._dirty.update(delta.id for delta in deltas)
        self._window.mark_dirty(deliver_when_hidden=self._deliver_when_hidden)

    def refresh(self) -> None:
        """Everything may have changed: the filter, the order, what is known."""
        self._is_stale = True
        self._window.mark_dirty(deliver_when_hidden=self._deliver_when_hidden)

    def collect(self) -> tuple[int, Payload] | None:
        """The element's id and what to send to it now."""
        if not self._is_mounted or self.view is None:
            return None
        if self._is_stale:
            batch = self.view.full()
            self._is_stale = batch is None
        elif self._dirty:
            batch = self.view.patch(self._dirty)
        else:
            return None
        self._dirty = set()
        return (self._element.id, batch) if batch else None

    def close(self) -> None:
        """End; idempotent."""
        self._window.discard(self)

    def _on_live(self) -> None:
        self._is_mounted = True
        self.refresh()


def end_with(element: ui.element, *closes: Callable[[], None]) -> None:
    """Call `closes` when the element goes, be it by navigation or with its window."""
    handle_delete = element._handle_delete

    def ended() -> None:
        for close in closes:
            close()
        handle_delete()

    element._handle_delete = ended  # type: ignore[method-assign]  # NiceGUI offers no event for it
