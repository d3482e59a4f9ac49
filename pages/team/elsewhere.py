"""Unread alerts of the user's other organisations, for the menu of organisations."""

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from components.shell.org_switcher import OrgSwitcher
from components.window.window import Window
from pages.page.services import Services
from services.entities import ALERTS
from services.errors import LivewatchError
from services.people.inbox import ALERT_INBOX

logger = structlog.get_logger(__name__)

MIN_INTERVAL_SECONDS = 1.0
RETRY_SECONDS = 10.0


class UnreadElsewhere:
    """Shows how many alerts wait in each of the user's organisations; ends with the window.

    The user's feed, which every window has open, tells that something changed. It holds recent alerts only, so that the
    numbers come from the database.
    """

    def __init__(self, services: Services, window: Window, switcher: OrgSwitcher) -> None:
        self._services = services
        self._window = window
        self._switcher = switcher
        self._is_due = asyncio.Event()
        self._is_due.set()
        subscription = services.realtime.subscribe(
            ALERTS,
            window.session.identity.user_id,
            session=window.session,
            where=lambda alert: alert.org_id != window.org_id,
            on_change=self._changed,
        )
        task = asyncio.create_task(self._follow(), name="unread alerts of other organisations")
        window.on_delete(subscription.close)
        window.on_delete(partial(_cancel, task))

    def _changed(self, _: Sequence[object]) -> None:
        self._is_due.set()

    async def _follow(self) -> None:
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            try:
                identity = self._window.session.identity
                counts = await ALERT_INBOX.unread_by_organization(self._services.database, identity)
            except LivewatchError as error:
                logger.info("unread alerts of other organisations not read", cause=str(error))
                self._is_due.set()
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._switcher.show_unread({str(org): count for org, count in counts.items()})
            await asyncio.sleep(MIN_INTERVAL_SECONDS)


def _cancel(task: "asyncio.Task[None]") -> None:
    task.cancel()
