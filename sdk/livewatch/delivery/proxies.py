"""HTTP proxies of the environment: which one a request goes through, and what it is told of."""

from __future__ import annotations

import base64
import ipaddress
import os
import urllib.request
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

DEFAULT_PORT = 8080


class ProxyError(Exception):
    """The setting of a proxy is unusable; the message names the variable and the fix."""


@dataclass(frozen=True)
class Proxy:
    """A proxy.

    Attributes:
        variable: Environment variable that names it.
        host: Host name.
        port: Port.
        headers: Headers for the proxy itself; never shown.
    """

    variable: str
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port} ({self.variable})"


def proxy_for(scheme: str, host: str, port: int) -> Proxy | None:
    """Return the proxy for a server; None to connect directly.

    Args:
        scheme: http or https.
        host: Host name of the server.
        port: Its port.

    Raises:
        ProxyError: The proxy's URL is invalid, or of a kind that is not supported.
    """
    url = urllib.request.getproxies().get(scheme)
    if not url or is_excluded(host, port):
        return None
    variable = f"{scheme.upper()}_PROXY"
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        address = parts.hostname, parts.port or DEFAULT_PORT
    except ValueError:
        raise ProxyError(f"{variable} is not a valid URL: use one like http://proxy.example.org:8080") from None
    if parts.scheme != "http" or not address[0]:
        raise ProxyError(f"{variable} is not an http:// URL: other kinds of proxies are not supported")
    headers = {}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(credentials.encode()).decode()}"
    return Proxy(variable, address[0], address[1], headers)


def is_excluded(host: str, port: int) -> bool:
    """Return whether NO_PROXY names the server: by name, name and port, domain, `*` or network."""
    if any(urllib.request.proxy_bypass(each) for each in (host, f"{host}:{port}")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    entries = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    return any(_is_within(address, entry.strip()) for entry in entries)


def _is_within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, entry: str) -> bool:
    try:
        return address in ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False
