"""Web server of the app: its listening socket, its addresses, and uvicorn with a graceful shutdown."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets import http11
from websockets.exceptions import InvalidState

from local_supabase.web.connection_guard import guarded_protocol
from services.errors import ConfigurationError
from services.infra.hosts import AllowedHosts, own_names
from services.infra.proxies import TrustedProxies
from services.infra.root_path import RootPath
from services.settings import Settings

SHUTDOWN_TIMEOUT_SECONDS = 3
# Longer than clients and proxies keep idle connections, or a request can meet a connection that is just closed.
KEEP_ALIVE_SECONDS = 75
SHUTDOWN_NOTICE_SECONDS = 0.2
"""Time for the final messages to reach the windows, before their sockets are closed."""
MAX_SOCKET_MESSAGE_BYTES = 2**20
"""Windows send only short events."""
MAX_SOCKET_HEADER_BYTES = 16 * 1024
"""Longest line in the head of a socket's request."""
MAX_PENDING_CONNECTIONS = 2048
SOCKET = "livewatch.socket"
"""Key of the `DirectSocket` in the scope of a WebSocket."""


def listen(settings: Settings) -> socket.socket:
    """Open the listening socket before anything else starts; raises ConfigurationError if the port is not available."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Without an explicit protocol asyncio leaves Nagle's algorithm enabled, which delays responses by 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(MAX_PENDING_CONNECTIONS)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {settings.port} on {settings.host} cannot be used: {error.strerror}. Stop the process that uses it, "
            f"or choose another port: LIVEWATCH_PORT={settings.port + 1} make run"
        ) from error
    return listener


async def serve_http(
    app: ASGIApp,
    listener: socket.socket,
    *,
    proxies: list[str],
    root_path: str,
    hosts: list[str],
    on_ready: Callable[[], None],
    on_stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve an ASGI app until cancelled, then shut down gracefully.

    Args:
        app: The ASGI app.
        listener: Socket from `listen`.
        proxies: Trusted reverse proxies (IPs or CIDRs) for `X-Forwarded-*`.
        root_path: Prefix below which a proxy serves the app; empty for none.
        hosts: Names under which the app is reached, see `AllowedHosts`.
        on_ready: Called when the server accepts requests.
        on_stop: Awaited before the server closes its connections.
    """
    # A large session is one long line of cookies, see pages/page/session_cookie.py; the library's limit is 8 KiB.
    http11.MAX_LINE_LENGTH = max(http11.MAX_LINE_LENGTH, MAX_SOCKET_HEADER_BYTES)
    trusted = TrustedProxies(proxies)
    # Outside of the middleware that takes over the client's address, since they judge the proxy's.
    config = uvicorn.Config(
        AllowedHosts(
            RootPath(
                cast(ASGIApp, ProxyHeadersMiddleware(cast(Any, app), trusted_hosts=proxies)),
                root_path=root_path,
                proxies=proxies,
            ),
            names=hosts,
            proxies=proxies,
        ),
        http=guarded_protocol(lambda address: trusted.trusts((address, 0))),
        ws=DirectSocket,
        ws_max_size=MAX_SOCKET_MESSAGE_BYTES,
        proxy_headers=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_SECONDS,
    )
    server = _Server(config, on_ready, on_stop)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="web server")
    try:
        await asyncio.shield(serving)
    finally:
        server.should_exit = True
        await serving


class DirectSocket(WebSocketsSansIOProtocol):
    """WebSocket that is in its own scope, so that a message can be written without a queue and the task behind it."""

    async def run_asgi(self) -> None:
        self.scope[SOCKET] = self  # type: ignore[literal-required]
        await super().run_asgi()

    @property
    def is_full(self) -> bool:
        """Whether what was written waits for the network, so that more would have to wait in memory."""
        return not self.writable.is_set()

    def write_text(self, text: str) -> None:
        """Write a message; does nothing once the socket is closing."""
        if self.close_sent or self.transport.is_closing():
            return
        with suppress(InvalidState):
            self.conn.send_text(text.encode())
            self.transport.write(b"".join(self.conn.data_to_send()))


class _Server(uvicorn.Server):
    """Uvicorn server with callbacks; leaves signals to main.py, which stops the other services too."""

    def __init__(
        self, config: uvicorn.Config, on_ready: Callable[[], None], on_stop: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self._on_stop = on_stop

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_stop()
        await asyncio.sleep(SHUTDOWN_NOTICE_SECONDS)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def allowed_hosts(settings: Settings) -> list[str]:
    """Return the names under which the app is reached: those in the settings, and those of its listening address."""
    return [*settings.allowed_hosts, *own_names(settings.host, is_loopback=is_loopback(settings.host))]


def browser_url(settings: Settings, listener: socket.socket) -> str:
    """Return the URL to open in a browser on this machine."""
    host = "localhost" if is_loopback(settings.host) or settings.host in ("0.0.0.0", "::") else settings.host
    return f"http://{host}:{listener.getsockname()[1]}{settings.root_path}"


def people_url(settings: Settings, listener: socket.socket) -> str:
    """Return the URL at which people reach the app, with which addresses begin that other sites lead them back to."""
    if settings.public_url is None and is_loopback(settings.host):
        return browser_url(settings, listener)
    return network_url(settings, listener.getsockname()[1])


def network_url(settings: Settings, port: int) -> str:
    """Return the URL at which people reach the app: the one in the settings, else that of host and port."""
    if settings.public_url:
        return str(settings.public_url).rstrip("/")
    host = settings.host
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}{settings.root_path}" if ":" in host else f"http://{host}:{port}{settings.root_path}"


def local_url(listener: socket.socket) -> str:
    """Return the URL at which processes on this machine reach the app."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Return whether a server on that host is reachable from this machine only."""
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
