"""The web application: middleware, HTTP routes, API and pages."""

from functools import partial

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse, Response
from nicegui import app as ui_app
from nicegui import core, ui

from components.presentation.compact_elements import install_compact_elements
from components.shell.reconnect import serve_reconnect
from components.shell.theme.theme import serve_styles
from pages.analytics.board_export import board_export_routes
from pages.api.app import create_api
from pages.api.errors import PREFIX
from pages.delivery.assets import Assets
from pages.delivery.page_compression import PageCompression
from pages.delivery.page_head import PageHead
from pages.frame import register_frame
from pages.http.auth_middleware import ASSETS_BELOW, AuthMiddleware
from pages.http.export import export_routes
from pages.http.headers import PagePolicy, SecurityHeaders
from pages.http.health import health_routes
from pages.http.log_export import log_export_routes
from pages.http.request_log import RequestLog
from pages.http.sdk import sdk_routes
from pages.http.socket_guard import SocketGuard
from pages.installation.device_routes import device_routes
from pages.installation.routes import installation_routes
from pages.page.services import Services
from pages.results.downloads.artefact_files import artefact_file_routes
from pages.results.downloads.metric_export import metric_export_routes
from pages.session.asking import register_asking
from pages.session.confirm import confirm_routes, register_confirm
from pages.session.mail_links import MailLimits, mail_link_routes
from pages.session.new_password import new_password_routes, register_new_password
from pages.session.routes import refuse_large, session_routes
from pages.session.sign_in import register_sign_in
from pages.session.sign_up import sign_up_routes
from pages.session.sso.auth_forward import auth_forward_routes
from pages.session.sso.routes import sign_on_routes
from pages.status.routes import status_routes
from pages.team.audit_log import audit_routes
from pages.team.invitation import join_routes, register_invitation
from services.errors import SessionTooLarge
from services.people.session_uses import discard_session

RECONNECT_TIMEOUT_SECONDS = 120.0
"""A laptop that sleeps for less than this returns to the same window without a reload."""
PING_INTERVAL_SECONDS = 4
PING_TIMEOUT_SECONDS = 4
"""A window notices within the sum of both that the server does not answer."""


def create_app(services: Services) -> FastAPI:
    """Build the web application; the caller owns and closes `services`."""
    install_compact_elements()
    app = FastAPI(title="Livewatch", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(SessionTooLarge, refuse_large)
    app.include_router(session_routes(services))
    app.include_router(sign_on_routes(services))
    app.include_router(auth_forward_routes(services))
    limits = MailLimits()
    app.include_router(mail_link_routes(services, limits))
    app.include_router(sign_up_routes(services, limits))
    app.include_router(confirm_routes(services))
    app.include_router(new_password_routes(services))
    app.include_router(join_routes(services, limits))
    app.include_router(artefact_file_routes(services))
    app.include_router(audit_routes(services))
    app.include_router(board_export_routes(services))
    app.include_router(metric_export_routes(services))
    app.include_router(export_routes(services))
    app.include_router(log_export_routes(services))
    app.include_router(health_routes(services))
    app.include_router(sdk_routes())
    app.include_router(installation_routes())
    app.include_router(device_routes(services))
    app.include_router(status_routes(services.statuses))
    app.mount(PREFIX, create_api(services.ingest, services.event_streams, services.database, services.files))

    serve_styles()
    serve_reconnect()
    _end_assets()
    register_sign_in(services)
    register_asking(services)
    register_confirm(services)
    register_new_password(services)
    register_invitation(services)
    register_frame(services)
    ui_app.add_middleware(PageHead)
    ui_app.add_middleware(PagePolicy)
    ui.run_with(
        app,
        title="Livewatch",
        favicon=FAVICON,
        dark=None,
        language="en-GB",
        viewport="width=device-width, initial-scale=1, viewport-fit=cover",
        reconnect_timeout=RECONNECT_TIMEOUT_SECONDS,
        # Rows reach elements by message instead of bindings, and the styles are the app's own.
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
        gzip_middleware_factory=PageCompression,
    )
    # NiceGUI derives both from the reconnect timeout at its start, far too slow to notice a pulled cable.
    ui_app.on_startup(_configure_ping)
    # NiceGUI keeps storage for each tab for 30 days; this app uses none.
    ui_app.storage.max_tab_storage_age = RECONNECT_TIMEOUT_SECONDS
    guard = SocketGuard(core.sio, services.cookie)
    guard.install()
    app.add_middleware(
        AuthMiddleware,
        cookie=services.cookie,
        sessions=services.sessions,
        discard=partial(discard_session, services.database),
        may_use_socket=guard.may_use,
    )
    app.add_middleware(Assets)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    return app


def _end_assets() -> None:
    """Answer 404 for assets that do not exist; a page for everybody would be built there otherwise."""

    def missing() -> Response:
        return PlainTextResponse("There is nothing at this address.", status_code=404)

    for prefix in ASSETS_BELOW:
        ui_app.get(f"{prefix}{{_:path}}", include_in_schema=False)(missing)


def _configure_ping() -> None:
    core.sio.eio.ping_interval, core.sio.eio.ping_timeout = PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS


FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#3b5bdb"/>'
    '<path d="M5 17h5l3-8 5 15 3-7h6" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)
