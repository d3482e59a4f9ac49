"""The frame around every page: one NiceGUI page whose content follows the URL, so that the shell and the feeds stay."""

from collections.abc import Callable
from functools import partial

from nicegui import ui
from starlette.requests import Request

from components.elements.bindings import live_connections, live_counts
from components.shell.feedback import error_panel, no_permission_panel
from components.shell.shell import shell
from components.shell.theme.theme import apply_theme
from components.window.window import Window, end_with
from pages.http.auth_middleware import session_of
from pages.inbox.attention import attend
from pages.inbox.inbox import alerts_page, notifications_page
from pages.lists.counters import UNREAD
from pages.monitoring.dashboard import dashboard_page
from pages.monitoring.monitoring import monitoring_page
from pages.monitoring.stream import stream_page
from pages.page.context import PageContext
from pages.page.preferences_store import PreferencesStore
from pages.page.routes import Routes
from pages.page.services import Services
from pages.page.url_state import UrlState
from pages.settings.connect import connect_page
from pages.settings.settings import settings_page
from pages.team.organization import chosen_membership, new_organization_page, organization_switcher
from services.errors import LivewatchError, PermissionDenied, SessionExpired
from services.people.profiles import own_profile

Page = Callable[..., None]
PAGES: dict[str, Page] = {
    "/": dashboard_page,
    "/monitoring": monitoring_page,
    "/alerts": alerts_page,
    "/notifications": notifications_page,
    "/connect": connect_page,
    "/settings": settings_page,
    "/streams/{id}": stream_page,
}
# Reading who somebody is takes milliseconds; while PostgreSQL is away it takes as long as its time-outs.
RESPONSE_TIMEOUT = 30.0


def register_frame(context: Services) -> None:
    """Serve every path that nothing else serves."""

    async def frame(request: Request) -> None:
        theme = apply_theme()
        session = session_of(request)
        if session is None:
            ui.navigate.to("/sign-in")
            return
        try:
            identity = session.identity
            membership, mine = await chosen_membership(context.database, identity, request)
            profile = await own_profile(context.database, identity)
        except SessionExpired:
            ui.navigate.to("/sign-in?reason=expired")
            return
        except PermissionDenied as error:
            no_permission_panel("This organisation is not yours to see", str(error))
            return
        except LivewatchError as error:
            error_panel("This page cannot be shown now", str(error), retry_after=5)
            return
        if membership is None:
            new_organization_page(context, session, profile.name)
            return
        window = Window(context.realtime, session, context.scheduler, org_id=membership.org_id)
        end_with(
            window,
            session.join(
                on_renew=window.renew,
                on_end=window.leave,
            ),
        )
        preferences = PreferencesStore(context.database, session, profile.preferences)
        page = PageContext(
            context=context,
            session=session,
            window=window,
            membership=membership,
            address=UrlState(window),
            preferences=preferences,
        )
        switcher = partial(organization_switcher, mine, membership) if len(mine) > 1 else None
        with shell(user_name=profile.name, org_name=membership.name, switcher=switcher) as parts:
            live_connections(window, parts.connection, {parts.connection.name: None})
            for badge in parts.badges:
                live_counts(window, badge, [UNREAD[key] for key in badge.keys])
            attend(page, parts, theme)
            Routes({path: partial(page, page) for path, page in PAGES.items()})

    ui.page("/", response_timeout=RESPONSE_TIMEOUT)(frame)
    ui.page("/{_:path}", response_timeout=RESPONSE_TIMEOUT)(frame)
