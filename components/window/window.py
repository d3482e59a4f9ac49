"""One browser window: collects what changed and sends it once per frame."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import structlog
from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from components.window.batch import Payload
from components.window.flow_control import FlowControl
from components.window.frame_scheduler import FrameScheduler, ScheduledFlush
from components.window.frame_transport import connections_of, is_full, send_frame
from components.window.registry import WindowRegistry
from components.window.view import FirstHtml, FramePart, Previewed
from services.entities import ConnectionStatus, LiveTable, R, Scope
from services.realtime import Delta, FeedStatus, RealtimeService, Subscriber, Subscription
from services.realtime.status import worst

logger = structlog.get_logger(__name__)


class Window(ui.element, component="live_window.js", dependencies=["browser/shared.js"]):
    """One browser window; sends one message per frame with the payloads of all its parts.

    It shows one organisation, `org_id`, and what is addressed there to the session's user. A disconnected window is
    sent nothing; a hidden one only its background parts. Parts that missed changes send a full view once the window is
    visible again. Must be built within the page, and ends with it.
    """

    def __init__(
        self,
        service: RealtimeService,
        session: Subscriber,
        scheduler: FrameScheduler,
        registry: WindowRegistry,
        *,
        org_id: UUID,
    ) -> None:
        super().__init__()
        self.org_id = org_id
        self.session = session
        self.is_visible = False
        self.is_attached = False
        """Whether a browser has reported in and is not known to have left."""
        self.was_attached = False
        """Whether a browser has ever reported in."""
        self.is_idle = False
        """Whether the browser hides the window, or its person has given no input for long."""
        self.flow = FlowControl()
        self.opened_at = datetime.now(UTC)
        self._service = service
        self._registry = registry
        self._parts: list[FramePart] = []
        self._status_followers: list[FramePart] = []
        self._background_parts: list[FramePart] = []
        self._subscriptions: list[Subscription[Any]] = []
        self._sent_status: ConnectionStatus | None = None
        self._is_status_due = True
        self._was_blocked = False
        self._closers: list[Callable[[], None]] = []
        self._on_removed: Callable[[], None] = lambda: None
        self._on_use: Callable[[], None] = lambda: None
        self._flush_schedule = ScheduledFlush(scheduler, self._flush)
        self._loaded: asyncio.Future[None] | None = None
        registry.add(self)
        self.on("seen", self._on_seen)
        self.on("ack", self._on_ack)
        self.on("idle", self._on_idle)
        self.client.on_disconnect(self._on_disconnect)

    def subscribe(
        self,
        entity: LiveTable[R],
        *,
        on_change: Callable[[list[Delta[R]]], None] | None = None,
        on_status: Callable[[FeedStatus], None] | None = None,
        where: Callable[[R], bool] | None = None,
        row_id: UUID | None = None,
    ) -> Subscription[R]:
        """Subscribe to an entity's rows; the status counts for this window's connection status.

        `where` keeps some rows, `row_id` one, which is read even if it is older than those that a feed holds. Of a
        user's rows only those of this window's organisation are included. The caller closes the subscription, at
        the latest the window does.
        """

        def status_changed(status: FeedStatus) -> None:
            self._is_status_due = True
            for part in self._status_followers:
                part.refresh()
            self.mark_dirty()
            if subscription.is_denied and is_of_org:
                self.lose_access()
            if on_status:
                on_status(status)

        self._is_status_due = True
        is_of_org = entity.scope is Scope.ORG
        subscription = self._service.subscribe(
            entity,
            self.org_id if is_of_org else self.session.identity.user_id,
            session=self.session,
            on_change=on_change,
            on_status=status_changed,
            org_id=None if is_of_org else self.org_id,
            where=where,
            row_id=row_id,
        )
        self._subscriptions = [*self.subscriptions(), subscription]
        return subscription

    def subscriptions(self) -> list[Subscription[Any]]:
        """The open subscriptions of this window."""
        return [each for each in self._subscriptions if not each.is_closed]

    def status(self, scope: Scope | None = None) -> FeedStatus:
        """The worst status among this window's subscriptions, or among those of one scope."""
        return worst([each.status for each in self.subscriptions() if scope in (None, each.topic.scope)])

    def add(self, part: FramePart, *, follows_status: bool = False, deliver_when_hidden: bool = False) -> None:
        """Collect from `part` in each frame.

        Args:
            part: What to collect from.
            follows_status: Whether every change of a connection status refreshes it.
            deliver_when_hidden: Whether it is collected while the window is hidden, too: sound, the tab's title.
        """
        self._parts.append(part)
        if follows_status:
            self._status_followers.append(part)
        if deliver_when_hidden:
            self._background_parts.append(part)

    def discard(self, part: FramePart) -> None:
        """Stop collecting from `part`; idempotent."""
        self._parts = [each for each in self._parts if each is not part]
        self._status_followers = [each for each in self._status_followers if each is not part]
        self._background_parts = [each for each in self._background_parts if each is not part]

    async def loaded(self, *, within: float) -> bool:
        """Wait while connections are made, at most `within` seconds; returns whether all rows are loaded and live."""
        if within > 0 and self._live_status() is ConnectionStatus.CONNECTING:
            self._loaded = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._loaded, within)
            self._loaded = None
        return self._live_status() is ConnectionStatus.CONNECTED

    def previews(self) -> list[tuple[Element, Payload]]:
        """Return the elements of the first paint and their whole content, which the page carries to the browser."""
        parts = (part for part in self._parts if isinstance(part, Previewed) and isinstance(part.element, FirstHtml))
        return [part.preview() for part in parts]

    def mark_dirty(self, *, deliver_when_hidden: bool = False) -> None:
        """Schedule a frame, unless nobody can see it."""
        if self._loaded and not self._loaded.done() and self._live_status() is not ConnectionStatus.CONNECTING:
            self._loaded.set_result(None)
        if self.is_visible or (deliver_when_hidden and self.is_attached):
            self._flush_schedule.schedule()

    def on_delete(self, *closers: Callable[[], None]) -> None:
        """Call `closers` when the window goes."""
        self._closers += closers

    def on_removed(self, handler: Callable[[], None]) -> None:
        """Call `handler` once when the user loses access to the window's organisation."""
        self._on_removed = handler

    def on_use(self, handler: Callable[[], None]) -> None:
        """Call `handler` when a browser has come or gone, or `is_idle` may have changed."""
        self._on_use = handler

    def lose_access(self) -> None:
        """Call the handler of `on_removed`; once."""
        on_removed, self._on_removed = self._on_removed, lambda: None
        on_removed()

    @property
    def is_connected(self) -> bool:
        """Whether the browser's socket is connected."""
        return bool(self.client.has_socket_connection)

    @property
    def path(self) -> str:
        """The path that the window shows, without parameters."""
        return self.client.sub_pages_router.current_path.partition("?")[0]

    def renew_cookie(self) -> None:
        """Have the browser fetch its session cookie again: the tokens have changed."""
        self.run_method("renewCookie")

    def leave(self, reason: str) -> None:
        """Send the browser to the sign-in page, which shows the reason."""
        self.run_method("leave", reason)

    def announce_shutdown(self) -> None:
        """Tell the browser that the server is shutting down, so that it shows no fault."""
        self.run_method("announceShutdown")

    def drop(self) -> None:
        """Delete the window and its page; for one that no browser has come for."""
        self.client.delete()

    def set_url(self, path: str, *, is_new: bool) -> None:
        """Show `path` in the browser's address bar, as a new history entry or in place of the present one."""
        self.run_method("setUrl", path, is_new)

    def _on_seen(self, event: GenericEventArguments) -> None:
        self.is_visible = bool(event.args.get("visible"))
        self.is_attached = self.was_attached = True
        self._sent_status = None
        self._is_status_due = True
        self.flow.reset()
        for part in self._parts:
            part.refresh()
        self._note_idle(event.args.get("idle"))

    def _on_idle(self, event: GenericEventArguments) -> None:
        self._note_idle(event.args)

    def _on_disconnect(self) -> None:
        self._on_use()

    def _note_idle(self, is_idle: object) -> None:
        self.is_idle = bool(is_idle)
        self._on_use()

    def _on_ack(self, event: GenericEventArguments) -> None:
        if self.flow.acked(event.args) and self._was_blocked:
            self._flush_schedule.schedule()

    def _flush(self) -> None:
        if not self.is_connected:
            # A browser that comes back reports as seen, and then gets full views.
            self.is_visible = self.is_attached = False
            return
        self._was_blocked = self.flow.is_blocked()
        if self._was_blocked:
            return
        connections = connections_of(self.client)
        if is_full(connections):
            self._flush_schedule.schedule()
            return
        payloads = []
        for part in list(self._parts if self.is_visible else self._background_parts):
            try:
                if collected := part.collect():
                    payloads.append(collected)
            except Exception:
                logger.exception("a frame part failed", part=type(part).__name__)
        status = self._live_status() if self.is_visible and self._is_status_due else self._sent_status
        self._is_status_due = self._is_status_due and not self.is_visible
        new_status = status if status != self._sent_status else None
        if payloads or new_status:
            self._sent_status = status
            self._registry.frames_sent += 1
            ack_id, delay = self.flow.next_ack(), self.flow.delay
            self.flow.sent(send_frame(connections, payloads, status=new_status, ack_id=ack_id, delay=delay), ack_id)

    def _live_status(self) -> ConnectionStatus | None:
        """The status for the body's `data-live`: connected only once the rows are loaded."""
        subscriptions = self.subscriptions()
        if not subscriptions:
            return None
        status = self.status().status
        is_loaded = all(each.is_loaded for each in subscriptions)
        return status if is_loaded or status is not ConnectionStatus.CONNECTED else ConnectionStatus.CONNECTING

    def _handle_delete(self) -> None:
        self._flush_schedule.cancel()
        self._registry.discard(self)
        for subscription in self._subscriptions:
            subscription.close()
        closers, self._closers = self._closers, []
        for close in closers:
            close()
        super()._handle_delete()
