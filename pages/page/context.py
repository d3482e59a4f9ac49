"""The context of one page in one window: services, session, window, organisation, URL and preferences."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from nicegui import ui

from components.shell.feedback import tell_error
from components.views.chat.unread import UnreadThreads
from components.views.lists.saved_views import SavedViews
from components.window.window import Window
from pages.page.preferences_store import PreferencesStore
from pages.page.services import Services
from pages.page.title import PageTitle
from pages.page.url_state import UrlState
from services.auth.sessions import UserSession
from services.errors import Conflict, LivewatchError, NotAccepted, NotFound, PermissionDenied, TooFast
from services.people.organizations import Membership

logger = structlog.get_logger(__name__)

T = TypeVar("T")
FINAL = (Conflict, NotAccepted, NotFound, PermissionDenied)
"""Refusals that the same request meets again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """Context from which a page inside the frame is built.

    `zone` is the name of the reader's zone, as the browser told it with the page; untrusted, empty on a first visit.
    """

    services: Services
    session: UserSession
    window: Window
    unread: UnreadThreads
    membership: Membership
    url: UrlState
    preferences: PreferencesStore
    title: PageTitle
    views: SavedViews
    zone: str = ""

    async def act(self, work: Awaitable[object], *, done: str = "") -> bool:
        """Await `work` and show its outcome as a notification.

        Args:
            work: An action of the user; the message of a LivewatchError that it raises is shown.
            done: Message on success; none by default.

        Returns:
            Whether it succeeded.
        """
        try:
            await work
        except LivewatchError as error:
            tell_error(str(error))
            return False
        if done:
            ui.notify(done, type="positive")
        return True

    async def get(self, work: Awaitable[T]) -> T | None:
        """Return the result of `work`; show the message of a LivewatchError that it raises, and return None."""
        try:
            return await work
        except LivewatchError as error:
            tell_error(str(error))
            return None


async def failure_of(work: Awaitable[object], *, not_yet: str) -> tuple[str, str] | None:
    """Do what a browser keeps until it is answered; returns None once it is done.

    Args:
        work: What to do.
        not_yet: What has not happened where it may be tried again, as "Not sent yet".

    Returns:
        `refused` where the same request meets the same refusal again, else `later`; and a sentence.
    """
    try:
        await work
    except FINAL as error:
        return "refused", str(error)
    except TooFast as error:
        return "later", str(error)
    except LivewatchError as error:
        return "later", f"{not_yet}: {error}"
    except Exception:
        # Nothing is lost, whatever went wrong: the browser has it.
        logger.exception("a request of a browser failed", unfinished=not_yet)
        return "later", f"{not_yet}. The reason is in the server's log."
    return None
