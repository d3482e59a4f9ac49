"""Unread alerts of the user's other organisations, for the menu of organisations."""

import structlog

from components.shell.org_switcher import OrgSwitcher
from components.window.window import Window
from pages.page.services import Services
from services.entities import ALERTS
from services.errors import LivewatchError
from services.infra.tasks.coalescer import Reloads
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
        reloads = Reloads(
            self._read,
            name="unread alerts of other organisations",
            on_failure=_not_read,
            retry=RETRY_SECONDS,
            interval=MIN_INTERVAL_SECONDS,
        )
        subscription = services.realtime.subscribe(
            ALERTS,
            window.session.identity.user_id,
            session=window.session,
            where=lambda alert: alert.org_id != window.org_id,
            on_change=lambda _: reloads.request(),
        )
        window.on_delete(subscription.close, reloads.close)
        reloads.request()

    async def _read(self) -> None:
        identity = self._window.session.identity
        counts = await ALERT_INBOX.unread_by_organization(self._services.database, identity)
        self._switcher.show_unread({str(org): count for org, count in counts.items()})


def _not_read(error: LivewatchError) -> None:
    logger.info("unread alerts of other organisations not read", cause=str(error))
