"""Allowed hosts: no page of another site, whose name leads here by DNS rebinding, becomes a client of the API."""

import re
from collections.abc import Collection
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

HOST = re.compile(r"([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])\.?(?::[0-9]{1,5})?", re.IGNORECASE)


class AllowedHosts:
    """ASGI middleware that answers 421 to requests for a host that is no loopback name, address or allowed name.

    Args:
        app: the application.
        names: allowed names.
    """

    def __init__(self, app: ASGIApp, *, names: Collection[str]) -> None:
        self._app = app
        self._names = {name.lower() for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            for host in [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]:
                match = HOST.fullmatch(host)
                if match is None or not self._is_allowed(match[1].lower()):
                    await _refuse(match[1] if match else "", scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _is_allowed(self, name: str) -> bool:
        # An address cannot be rebound.
        return name in self._names or name == "localhost" or name.endswith(".localhost") or _address(name) is not None


def _address(name: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(name.strip("[]"))
    return None


async def _refuse(name: str, scope: Scope, receive: Receive, send: Send) -> None:
    sentence = f"This server does not answer to the name {name}: allow it with --allowed-host."
    message = sentence if name else "The Host header is malformed."
    if scope["type"] == "websocket":
        await receive()
    body = {"code": 421, "error_code": "misdirected_request", "msg": message, "message": message}
    await JSONResponse(body, status_code=421)(scope, receive, send)
