"""Network of what is sent to addresses that people gave: connections to addresses that were checked, and no others."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any

import httpcore
import httpx

from services.delivery.addresses import is_public, resolved
from services.text import visible

MAX_BEGINNING_BYTES = 2000
MAX_SECONDS_DIGITS = 9

Resolve = Callable[[str, int], Awaitable[list[str]]]


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """Connects to public addresses only.

    A name is resolved once and the address that was checked is connected to, so that no second answer of a name server
    leads elsewhere. TLS verifies the name as ever.

    Args:
        resolve: Returns the addresses of a host and a port; the system's by default.
        network: What connects.
        allow_private: Whether addresses of this machine and of private networks are right too.
    """

    def __init__(
        self,
        *,
        resolve: Resolve = resolved,
        network: httpcore.AsyncNetworkBackend | None = None,
        allow_private: bool = False,
    ) -> None:
        self._resolve = resolve
        self._network = network or httpcore.AnyIOBackend()
        self._allow_private = allow_private

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
        if not addresses or not (self._allow_private or all(map(is_public, addresses))):
            raise httpcore.ConnectError(f"{host} leads to an address that is not public.")
        failure: Exception | None = None
        for address in addresses:
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
        raise httpcore.ConnectError(f"Nobody is told at {path}.")

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)


def public_transport(network: PublicNetwork | None = None) -> httpx.AsyncBaseTransport:
    """Return a transport of HTTP requests over a network, a public one by default; the caller closes it."""
    context = _context()
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


@lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    # Reading the certificates takes tens of milliseconds, in which the event loop waits.
    return httpx.create_ssl_context()


async def beginning_of(response: httpx.Response, *, characters: int) -> str:
    """Return the beginning of the text that an answer brings, as one line that shows nothing hidden."""
    body = b""
    async for part in response.aiter_raw():
        body += part
        if len(body) >= MAX_BEGINNING_BYTES:
            break
    text = " ".join(body[:MAX_BEGINNING_BYTES].decode("utf-8", "replace").split())
    return visible(text)[:characters]


def retry_after(response: httpx.Response, now: float) -> float | None:
    """Return the seconds that the header `Retry-After` asks for, which has them or a date; None if it has neither.

    Args:
        response: The answer.
        now: Seconds since 1970.
    """
    given = response.headers.get("retry-after", "").strip()
    if given.isascii() and given.isdigit():
        return float(given[:MAX_SECONDS_DIGITS])
    try:
        at = parsedate_to_datetime(given)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
