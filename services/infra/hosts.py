"""Allowed hosts: the names under which the app is reached, so that no foreign name leads a browser to it.

A page of another site can have its own name resolve to this machine (DNS rebinding); the browser then takes the app for
a part of that site. An address in place of a name cannot be rebound.
"""

import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address, ip_address

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from services.infra.proxies import TrustedProxies, note_forwarding

VARIABLE = "LIVEWATCH_HOSTS"
FORWARDED_HOST = b"x-forwarded-host"
# A name or address with an optional port; names in DNS form, so that a refusal may quote it.
HOST = re.compile(r"(?P<name>[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])\.?(:[0-9]{1,5})?", re.IGNORECASE)


class AllowedHosts:
    """ASGI middleware that answers 421 to requests for other hosts, and takes `X-Forwarded-Host` from trusted proxies.

    Args:
        app: The app.
        names: Allowed names; `*.example.org` allows every name below. Loopback names and addresses are always allowed.
        proxies: Trusted reverse proxies (IPs or CIDRs).
    """

    def __init__(self, app: ASGIApp, *, names: Iterable[str], proxies: list[str]) -> None:
        self._app = app
        self._names = [each.lower() for each in names]
        self._proxies = TrustedProxies(proxies)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            note_forwarding(scope)
            self._take_over_host(scope)
            # Browsers always send one; health checks of HTTP/1.0 send none.
            for host in [value for name, value in scope["headers"] if name == b"host"]:
                if not self._is_allowed(host.decode("latin-1")):
                    await _refuse(host.decode("latin-1"), scope, receive, send)
                    return
        await self._app(scope, receive, send)

    def _take_over_host(self, scope: Scope) -> None:
        said = [value for name, value in scope["headers"] if name == FORWARDED_HOST]
        if said:
            headers = [each for each in scope["headers"] if each[0] != FORWARDED_HOST]
            if self._proxies.trusts(scope.get("client")):
                # A chain of proxies appends: the first is what the browser asked for.
                host = said[0].partition(b",")[0].strip()
                headers = [each for each in headers if each[0] != b"host"] + [(b"host", host)]
            scope["headers"] = headers

    def _is_allowed(self, host: str) -> bool:
        name = host_name(host)
        return name is not None and (
            is_loopback_name(name)
            or _address(name) is not None
            or any(
                name.endswith(each[1:]) and len(name) > len(each[1:]) if each.startswith("*.") else name == each
                for each in self._names
            )
        )


def host_name(host: str) -> str | None:
    """Return the name or address in a `Host` header, in lower case and without port; None for a malformed one."""
    match = HOST.fullmatch(host)
    return match["name"].lower() if match else None


def is_loopback_name(name: str) -> bool:
    """Whether a name or address in a URL leads to the reader's own machine (RFC 6761, section 6.3)."""
    address = _address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def own_names(host: str, *, is_loopback: bool) -> list[str]:
    """Return the names that the listening address implies: itself, and the machine's where others can connect."""
    machine = socket.gethostname().lower()
    return [host] if is_loopback else [host, machine, f"{machine.partition('.')[0]}.local"]


def _address(name: str) -> IPv4Address | IPv6Address | None:
    with suppress(ValueError):
        return ip_address(name.strip("[]"))
    return None


async def _refuse(host: str, scope: Scope, receive: Receive, send: Send) -> None:
    name = host_name(host)
    cause = f"This server does not answer to the name {name}." if name else "The Host header is malformed."
    advice = f" If the name is yours, add it to {VARIABLE}." if name else ""
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return
    response = PlainTextResponse(cause + advice, 421, headers={"X-Content-Type-Options": "nosniff"})
    await response(scope, receive, send)
