"""Composes the HTTP and WebSocket application from its parts."""

import psycopg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute

from local_supabase.auth.endpoints import Auth
from local_supabase.auth.gateway import Endpoint, error_response
from local_supabase.errors import ApiError, PostgresError
from local_supabase.realtime.endpoints.websocket import RealtimeEndpoint

HANDLED: tuple[type[Exception], ...] = (ApiError, PostgresError, psycopg.DataError, psycopg.OperationalError, Exception)


def create_app(auth: Auth, realtime: RealtimeEndpoint, broadcast: Endpoint) -> Starlette:
    """The application below the API URL."""
    realtime_routes = [
        WebSocketRoute("/websocket", realtime),
        Route("/api/broadcast", broadcast, methods=["POST"]),
    ]
    return Starlette(
        routes=[
            Mount("/auth/v1", routes=auth.routes()),
            Mount("/realtime/v1", routes=realtime_routes),
            Route("/{path:path}", _not_served, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        ],
        middleware=[
            # Tokens travel in headers, never in cookies, so any origin may ask; as on a hosted project.
            Middleware(
                CORSMiddleware,
                allow_origins=["*"],
                allow_methods=["*"],
                allow_headers=["*"],
                expose_headers=["x-total-count"],
                max_age=3600,
            )
        ],
        exception_handlers={kind: error_response for kind in HANDLED},
    )


async def _not_served(request: Request) -> Response:
    message = (
        f"The local Supabase serves Auth (/auth/v1) and Realtime (/realtime/v1), not {request.url.path}: "
        "use the database URL for data."
    )
    return JSONResponse({"message": message}, status_code=404)
