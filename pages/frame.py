"""Frame of all pages: one NiceGUI page whose content follows the URL, so that shell and feeds persist."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from urllib.parse import quote

import structlog
from nicegui import Client, ui
from starlette.requests import Request

from components.elements.chat.thread_list import bind_unread_messages
from components.elements.figures.count_badge import CountBadge
from components.elements.handling.handled_rows import HandledRows
from components.shell.feedback import error_panel, no_permission_panel
from components.shell.first_paint.first_paint import first_paint
from components.shell.navigation import CHAT
from components.shell.org_switcher import OrgSwitcher
from components.shell.reconnect import guard_reloads
from components.shell.shell import shell
from components.shell.theme.theme import Theme, apply_theme, inline_styles
from components.views.chat.unread import UnreadThreads
from components.views.lists.saved_views import SavedViews
from components.window.window import Window
from pages.account.account import account_page
from pages.analytics.analytics import analytics_page
from pages.chat.chat import chat_page
from pages.chat.drawer import ChatDrawer
from pages.delivery.page_head import extra_of
from pages.http.auth_middleware import session_of
from pages.inbox.attention import attend
from pages.inbox.inbox import alerts_page, notifications_page
from pages.installation.head import offer_installation
from pages.jobs.compare import compare_page
from pages.jobs.jobs import job_page, jobs_page
from pages.jobs.schedules import schedules_page
from pages.lists.counters import UNREAD_COUNTERS
from pages.lists.entity_list import stored_rows
from pages.monitoring.dashboard import dashboard_page
from pages.monitoring.logs import logs_page
from pages.monitoring.monitoring import monitoring_page
from pages.monitoring.stream import stream_by_slug_page, stream_page
from pages.page.browser import browser_of, zone_of_reader
from pages.page.context import PageContext
from pages.page.membership import chosen_membership
from pages.page.public_url import root_of
from pages.page.routes import Routes
from pages.page.services import Services
from pages.page.title import PageTitle
from pages.page.url_state import UrlState
from pages.rules.rules import rules_page
from pages.settings.allow import allow_page
from pages.settings.connect import connect_page
from pages.settings.settings import settings_page
from pages.status.settings import status_settings_page
from pages.team.audit_log import audit_page
from pages.team.elsewhere import UnreadElsewhere
from pages.team.members import members_page
from pages.team.organization import (
    follow_team,
    new_organization_dialog,
    new_organization_page,
    organization_switcher,
)
from pages.team.removal import lead_away
from pages.viewers.viewers import show_viewers
from services.errors import LivewatchError, PermissionDenied, SessionExpired
from services.infra.root_path import route_path
from services.people.profiles import own_profile

logger = structlog.get_logger(__name__)

PAGES: dict[str, Callable[..., None]] = {
    "/": dashboard_page,
    "/monitoring": monitoring_page,
    "/compare": compare_page,
    "/analytics": analytics_page,
    "/jobs": jobs_page,
    "/schedules": schedules_page,
    "/jobs/{kind}/{slug}": job_page,
    "/alerts": alerts_page,
    "/notifications": notifications_page,
    "/logs": logs_page,
    "/chat": chat_page,
    "/connect": connect_page,
    "/connect/allow": allow_page,
    "/settings": settings_page,
    "/settings/account": account_page,
    "/settings/members": members_page,
    "/settings/audit": audit_page,
    "/settings/rules": rules_page,
    "/settings/status": status_settings_page,
    "/streams/by-slug/{slug}": stream_by_slug_page,
    "/streams/{id}": stream_page,
}
RESPONSE_TIMEOUT_SECONDS = 30.0
"""Timeout for building a page; it exceeds PostgreSQL's timeouts, because reading the profile may wait for those."""

LOADING_SECONDS = 0.5
"""Time that a page waits for its rows, which it then brings along; they come by the socket otherwise."""


def register_frame(services: Services) -> None:
    """Register the frame for all paths without a route of their own."""

    async def frame(request: Request) -> None:
        theme = apply_theme()
        guard_reloads()
        session = session_of(request)
        here = quote(f"{route_path(request.scope)}?{request.url.query}".rstrip("?"))
        if session is None:
            ui.navigate.to(f"/sign-in?next={here}")
            return
        offer_installation(session.identity)
        try:
            identity = session.identity
            (membership, mine), profile = await asyncio.gather(
                chosen_membership(services.database, identity, request), own_profile(services.database, identity)
            )
        except SessionExpired:
            ui.navigate.to(f"/sign-in?reason=expired&next={here}")
            return
        except PermissionDenied as error:
            no_permission_panel("You have no access to this organisation", str(error))
            return
        except LivewatchError as error:
            error_panel("This page cannot be shown", str(error), retry_after=5)
            return
        if membership is None:
            new_organization_page(services, session, profile.name)
            return
        services.session_uses.note_soon(identity, browser_of(request))
        window = Window(services.realtime, session, services.scheduler, services.windows, org_id=membership.org_id)
        window.on_delete(session.join(on_renew=window.renew_cookie, on_end=window.leave))
        window.on_removed(partial(lead_away, window.client, services, session, membership))
        if not services.windows.may_prepare(session):
            await ui.context.client.connected()
            if ui.context.client.is_deleted:
                return
        page = PageContext(
            services=services,
            session=session,
            window=window,
            unread=UnreadThreads(window),
            membership=membership,
            url=UrlState(window),
            preferences=services.preferences.open(services.database, session, window, profile.preferences),
            title=PageTitle(),
            views=SavedViews(window),
            zone=zone_of_reader(request),
        )
        around = ui.context.slot

        def create() -> None:
            with around:
                new_organization_dialog(services, session)

        switcher = partial(organization_switcher, mine, membership, create) if len(mine) > 1 else None
        with shell(
            user_id=identity.user_id,
            user_name=profile.name,
            org_name=membership.name,
            switcher=switcher,
            sign_out=f"{root_of(request)}/session/end",
            create=create,
        ) as parts:
            parts.connection.bind_status(window, {parts.connection.name: None})
            _count_unread(page, parts.badges)
            attend(page, parts, theme)
            HandledRows(window)
            parts.chat.on("click", ChatDrawer(page).open)
            services.teams.follow(window, session, partial(follow_team, window, membership, parts.organization))
            if isinstance(parts.organization, OrgSwitcher):
                UnreadElsewhere(services, window, parts.organization)
            page.title.show = parts.name_page
            show_viewers(page, parts)
            parts.views.bind_views(window, page.views, lambda entity: stored_rows(page, entity, {}))
            Routes({path: partial(build, page) for path, build in PAGES.items()})
        await _paint_first(request, ui.context.client, window, theme)

    ui.page("/", response_timeout=RESPONSE_TIMEOUT_SECONDS)(frame)
    ui.page("/{_:path}", response_timeout=RESPONSE_TIMEOUT_SECONDS)(frame)


def _count_unread(page: PageContext, badges: Iterable[CountBadge]) -> None:
    for badge in badges:
        if badge.keys == (CHAT,):
            bind_unread_messages(badge, page.window, page.unread)
        else:
            badge.bind_counters(page.window, [UNREAD_COUNTERS[key] for key in badge.keys])


async def _paint_first(request: Request, client: Client, window: Window, theme: Theme) -> None:
    """Have the response bring the page as HTML, unless that is under way already or this fails."""
    extra = extra_of(request)
    if extra.is_sent:
        return
    # A page with timers is sent at the first wait, since those run once it is shown.
    has_timers = any(isinstance(element, ui.timer) for element in client.elements.values())
    is_live = await window.loaded(within=0.0 if has_timers else LOADING_SECONDS)
    if extra.is_sent:
        return
    # The size of a compressed page tells what is in it; another site may cause requests, but gets no rows measured.
    is_live = is_live and request.headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    prefix = root_of(request)
    try:
        extra.first = first_paint(client, window, is_live=is_live, prefix=prefix, theme=theme.preferred)
        extra.styles = inline_styles(prefix).encode()
    except Exception:
        # The scripts build the whole page without it.
        logger.exception("the first paint failed")
