"""The base of ASGI middlewares that concern HTTP only."""

from abc import ABC, abstractmethod

from starlette.types import ASGIApp, Receive, Scope, Send


class HttpMiddleware(ABC):
    """Serves HTTP requests by `serve_http`; WebSockets and lifespan events pass unchanged."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        serve = self.serve_http if scope["type"] == "http" else self._app
        await serve(scope, receive, send)

    @abstractmethod
    async def serve_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, normally by calling the inner application."""
