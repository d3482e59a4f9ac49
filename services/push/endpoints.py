"""Endpoints of devices: which URLs may be one, and connections that reach public addresses only."""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpcore
import httpx

from services.delivery.addresses import is_public
from services.errors import NotAccepted

MAX_ENDPOINT_CHARACTERS = 1000
PRINTABLE = re.compile(r"[!-~]+")
HTTPS_PORT = 443
ADVICE = "Push services of browsers have public addresses and https; subscribe again in the browser."

Resolve = Callable[[str, int], Awaitable[list[str]]]


def checked_endpoint(endpoint: str) -> str:
    """Return a URL that may be the endpoint of a device; raises NotAccepted, which names the host only.

    The URL lets anybody who knows it send messages, so that it is never part of a message. Names are checked again when
    they are resolved, by `PublicNetwork`.
    """
    if not PRINTABLE.fullmatch(endpoint) or len(endpoint) > MAX_ENDPOINT_CHARACTERS:
        raise NotAccepted(f"The endpoint is not a URL of at most {MAX_ENDPOINT_CHARACTERS} characters. {ADVICE}")
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        raise NotAccepted(f"The endpoint is not a URL. {ADVICE}") from error
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme != "https":
        raise NotAccepted(f"The endpoint has the scheme {parts.scheme[:20]!r} in place of https. {ADVICE}")
    if parts.username is not None or "\\" in parts.netloc or not host or port not in (None, HTTPS_PORT):
        raise NotAccepted(f"The endpoint has a user, another port, or no host: {host[:100]!r}. {ADVICE}")
    if not _may_be_public(host):
        raise NotAccepted(f"The host {host[:100]!r} of the endpoint is not a public one. {ADVICE}")
    return endpoint


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only.

    A name is resolved once and the address that was checked is connected to, so that no second answer of a name server
    leads elsewhere. TLS verifies the name as ever.

    Args:
        resolve: Returns the addresses of a host and a port; the system's by default.
        network: What connects.
    """

    def __init__(self, *, resolve: Resolve | None = None, network: httpcore.AsyncNetworkBackend | None = None) -> None:
        self._resolve = resolve or _addresses
        self._network = network or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  # the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"The name {host} was not resolved in time.") from error
        except OSError as error:
            raise httpcore.ConnectError(f"The name {host} cannot be resolved.") from error
        public = [each for each in addresses if is_public(each)]
        if not public or len(public) < len(addresses):
            raise httpcore.ConnectError(f"{host} leads to an address that is not public.")
        failure: Exception | None = None
        for address in public:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError(f"No push service is at {path}.")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


def public_transport(network: PublicNetwork | None = None) -> httpx.AsyncBaseTransport:
    """Return a transport of HTTP requests that reaches public addresses only; the caller closes it."""
    context = httpx.create_ssl_context()
    transport = httpx.AsyncHTTPTransport(verify=context)
    # The transport has no argument for the network; its pool has.
    transport._pool = httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=100,
        max_keepalive_connections=20,
        keepalive_expiry=30.0,
        network_backend=network or PublicNetwork(),
    )
    return transport


def is_of_apple(endpoint: str) -> bool:
    """Whether a device ends its subscription after some messages that show nothing, as Safari does."""
    host = urlsplit(endpoint).hostname or ""
    return host == "push.apple.com" or host.endswith(".push.apple.com")


def _may_be_public(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal", ".home.arpa"))
    return is_public(host)


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]
