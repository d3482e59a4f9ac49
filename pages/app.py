"""The web application: the gate, the session routes, the health check and the pages."""

from fastapi import FastAPI
from nicegui import app as ui_app
from nicegui import core, ui

from components.shell.theme.theme import serve_styles
from pages.api.app import create_api
from pages.api.endpoints import PREFIX
from pages.frame import register_frame
from pages.http.auth_middleware import AuthMiddleware
from pages.http.export import export_routes
from pages.http.headers import PagePolicy, SecurityHeaders
from pages.http.health import health_routes
from pages.http.request_log import RequestLog
from pages.http.session_routes import session_routes
from pages.http.sign_in import register_sign_in
from pages.page.services import Services

# A laptop that sleeps for less than this comes back to the same window, without a reload.
RECONNECT_TIMEOUT_SECONDS = 120.0
# A window knows within their sum that nobody answers, in seconds.
PING_INTERVAL_SECONDS = 4
PING_TIMEOUT_SECONDS = 4


def create_app(context: Services) -> FastAPI:
    """Everything that is served. The services in `context` are the caller's to close."""
    app = FastAPI(title="Livewatch", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(session_routes(context))
    app.include_router(export_routes(context))
    app.include_router(health_routes(context))
    app.mount(PREFIX, create_api(context.ingest, context.tails))

    serve_styles()
    register_sign_in(context)
    register_frame(context)
    ui_app.add_middleware(PagePolicy)
    ui.run_with(
        app,
        title="Livewatch",
        favicon=FAVICON,
        dark=None,
        language="en-US",
        reconnect_timeout=RECONNECT_TIMEOUT_SECONDS,
        # Nothing is bound: rows reach elements by message. The styles are our own.
        binding_refresh_interval=None,
        tailwind=False,
        show_welcome_message=False,
    )
    # After NiceGUI's own start, which derives both from the reconnect timeout: far too slow to notice a pulled cable.
    ui_app.on_startup(_configure_ping)
    # NiceGUI keeps something for each tab that ever came, for 30 days; nothing here is kept by the tab.
    ui_app.storage.max_tab_storage_age = RECONNECT_TIMEOUT_SECONDS
    app.add_middleware(AuthMiddleware, cookie=context.cookie, sessions=context.sessions)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(RequestLog)
    return app


def _configure_ping() -> None:
    core.sio.eio.ping_interval, core.sio.eio.ping_timeout = PING_INTERVAL_SECONDS, PING_TIMEOUT_SECONDS


FAVICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#3b5bdb"/>'
    '<path d="M5 17h5l3-8 5 15 3-7h6" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)
