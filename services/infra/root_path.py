"""Serving below a path of another site: the prefix that a proxy adds, by configuration or by its header."""

from starlette.types import ASGIApp, Receive, Scope, Send

from services.infra.proxies import TrustedProxies
from services.settings import ROOT_PATH, is_own_path

HEADER = b"x-forwarded-prefix"


class RootPath:
    """Outermost ASGI middleware that sets `root_path`, and a `path` that begins with it, as ASGI demands.

    Works behind proxies that strip the prefix and behind those that pass it on. The header `X-Forwarded-Prefix` counts
    only from a trusted proxy and is hidden from the app, which would believe it from anybody.

    Args:
        app: The app.
        root_path: The prefix; empty to take it from the header.
        proxies: Trusted reverse proxies (IPs or CIDRs).
    """

    def __init__(self, app: ASGIApp, *, root_path: str, proxies: list[str]) -> None:
        self._app = app
        self._root_path = root_path
        self._proxies = TrustedProxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            prefix = self._root_path or self._announced(scope)
            scope["headers"] = [each for each in scope["headers"] if each[0] != HEADER]
            path = scope["path"]
            if prefix:
                scope["root_path"] = prefix
                if path != prefix and not path.startswith(f"{prefix}/"):
                    scope["path"] = prefix + path
                    scope["raw_path"] = prefix.encode() + scope.get("raw_path", path.encode())
        await self._app(scope, receive, send)

    def _announced(self, scope: Scope) -> str:
        announced = [value for name, value in scope["headers"] if name == HEADER]
        if len(announced) != 1 or not self._proxies.trusts(scope.get("client")):
            return ""
        prefix = announced[0].decode("latin-1").rstrip("/")
        return prefix if ROOT_PATH.fullmatch(prefix) and not is_own_path(prefix) else ""


def route_path(scope: Scope) -> str:
    """Return the path of a request within the app, without the prefix of a proxy."""
    root_path = scope.get("app_root_path", scope.get("root_path", ""))
    path: str = scope["path"]
    return path.removeprefix(root_path) or "/" if path == root_path or path.startswith(f"{root_path}/") else path
