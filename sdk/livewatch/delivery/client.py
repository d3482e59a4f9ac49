"""The HTTP client: one keep-alive connection to the API, and responses as values."""

import http.client
import json
import os
import platform
import re
import socket
import ssl
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from livewatch.delivery.proxies import Proxy, ProxyError, proxy_for
from livewatch.settings import API_PATH, VERSION, Settings

REQUEST_TIMEOUT_SECONDS = 10.0
MAX_RESPONSE_BYTES = 16 * 2**20
MAX_LINE_BYTES = 2**16
MAX_RETRY_AFTER_SECONDS = 300.0

USER_AGENT = f"livewatch/{VERSION} Python/{platform.python_version()}"
PROXY_AUTHENTICATION_REQUIRED = 407
# As http.client words it.
TUNNEL_FAILURE = re.compile(r"Tunnel connection failed: (\d+) ?(.*)")

# A server may close an idle connection while a request is on its way.
CLOSED_WHILE_IDLE = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class ClientError(Exception):
    """Base of the client's errors."""


class UnreachableError(ClientError):
    """No response arrived; the message names the cause and the fix. The server may have carried the request out."""


class ResponseError(ClientError):
    """The server answered with an error status."""

    def __init__(self, response: "Response") -> None:
        super().__init__(response.error)
        self.response = response


@dataclass(frozen=True)
class Response:
    """A response.

    Attributes:
        status: HTTP status.
        body: Decoded JSON; None if the body is not JSON.
        retry_after: Seconds of the Retry-After header, at most 300.
        location: Target of a redirect.
    """

    status: int
    body: Any
    retry_after: float | None = None
    location: str | None = None

    @property
    def error(self) -> str:
        """The server's error message, or the status if it sent none."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if isinstance(error, dict) and error.get("message"):
            field = f" ({error['field']})" if error.get("field") else ""
            return f"{error['message']}{field}"
        return f"the server answered with status {self.status}"

    @property
    def ignored(self) -> list[tuple[str, str]]:
        """Field and message of each invalid field that the server left out of a report."""
        ignored = self.body.get("ignored") if isinstance(self.body, dict) else None
        problems = ignored if isinstance(ignored, list) else []
        return [(str(each.get("field")), str(each.get("message"))) for each in problems if isinstance(each, dict)]


class Client:
    """Sends requests to one server with one key, through the environment's proxies. Not thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = urlsplit(settings.url)
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""
        self._proxy: Proxy | None = None

    @property
    def url(self) -> str:
        """Root URL of the app."""
        return self._settings.url

    def request(
        self, method: str, path: str, body: str | bytes | None = None, *, timeout: float = REQUEST_TIMEOUT_SECONDS
    ) -> Response:
        """Send a request, once more if the kept-alive connection turns out to be closed.

        Args:
            method: HTTP method.
            path: Relative to /api/v1.
            body: JSON text, or bytes of an artefact.
            timeout: Seconds that each network wait may take.

        Returns:
            The response, whatever its status.

        Raises:
            UnreachableError: No response arrived.
        """
        was_kept_alive = self._connection is not None
        try:
            return self._send(method, path, body, timeout)
        except UnreachableError as error:
            # Writes carry idempotency keys, so a repeated one is carried out once.
            if not was_kept_alive or not isinstance(error.__cause__, CLOSED_WHILE_IDLE):
                raise
        return self._send(method, path, body, timeout)

    def listen(self, path: str, *, timeout: float, headers: Mapping[str, str] | None = None) -> Iterator[str]:
        """Yield the lines of a streaming response, over a connection of its own, until the server ends it.

        Args:
            path: Relative to /api/v1.
            timeout: Seconds without data after which the stream counts as lost.
            headers: Further headers.

        Raises:
            ResponseError: The status is not 200.
            UnreachableError: The connection failed, or nothing arrived for `timeout` seconds.
        """
        connection: http.client.HTTPConnection | None = None
        try:
            connection = self._connect(timeout)
            connection.request(
                "GET", self._target(path), headers={**self._headers("text/event-stream"), **(headers or {})}
            )
            response = connection.getresponse()
            self._check_proxy(response)
            if response.status != 200:
                raise ResponseError(_decode(response))
            while line := response.readline(MAX_LINE_BYTES):
                yield line.decode("utf-8", "replace").rstrip("\r\n")
        except (OSError, http.client.HTTPException, ValueError, ProxyError) as error:
            raise self._unreachable(error) from error
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close the connection; the next request opens another. Idempotent."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """Drop the connection inherited by a forked child without touching its buffered objects.

        Closing those takes a lock that a thread of the parent may have held at the fork and that nothing releases here.
        """
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                os.close(connection.sock.detach())

    def _send(self, method: str, path: str, body: str | bytes | None, timeout: float) -> Response:
        try:
            connection = self._connection or self._connect(timeout)
            self._connection = connection
            connection.timeout = timeout
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            headers = self._headers("application/json")
            if body is not None:
                headers["Content-Type"] = "application/json" if isinstance(body, str) else "application/octet-stream"
            content = body.encode() if isinstance(body, str) else body
            connection.request(method, self._target(path), content, headers)
            response = connection.getresponse()
            self._check_proxy(response)
            return _decode(response)
        except (OSError, http.client.HTTPException, ValueError, ProxyError) as error:
            self.close()
            # http.client keeps the answer of a proxy that refused, and with it the socket, in a frame.
            traceback.clear_frames(error.__traceback__)
            raise self._unreachable(error) from error

    def _headers(self, accept: str) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._settings.key.reveal()}",
            "Accept": accept,
            "User-Agent": USER_AGENT,
        }
        # Through a tunnel the proxy sees the CONNECT request only, which has them.
        return headers | self._proxy.headers if self._proxy is not None and self._prefix else headers

    def _target(self, path: str) -> str:
        return f"{self._prefix}{self._parts.path}{API_PATH}{path}"

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, is_secure = self._parts.hostname or "", self._parts.scheme == "https"
        port = self._parts.port or (443 if is_secure else 80)
        kind = http.client.HTTPSConnection if is_secure else http.client.HTTPConnection
        self._prefix = ""
        self._proxy = proxy = proxy_for(self._parts.scheme, host, port)
        if proxy is None:
            return kind(host, port, timeout=timeout)
        connection = kind(proxy.host, proxy.port, timeout=timeout)
        if is_secure:
            connection.set_tunnel(host, port, {"User-Agent": USER_AGENT, **proxy.headers})
        else:
            self._prefix = f"http://{self._parts.netloc}"
        return connection

    def _check_proxy(self, response: http.client.HTTPResponse) -> None:
        if self._proxy is not None and response.status == PROXY_AUTHENTICATION_REQUIRED:
            response.close()
            raise ProxyError(_refusal(self._proxy, response.status, response.reason))

    def _unreachable(self, error: Exception) -> UnreachableError:
        origin = f"{self._parts.scheme}://{self._parts.netloc}"
        return UnreachableError(f"cannot reach {origin}: {self._cause(error)}")

    def _cause(self, error: Exception) -> str:
        """Name what failed and how to fix it; behind a proxy, that is mostly the proxy."""
        if isinstance(error, ProxyError):
            return str(error)
        proxy = self._proxy
        if proxy is None or isinstance(error, ssl.SSLError):
            return _cause(error)
        if tunnel := TUNNEL_FAILURE.match(str(error)):
            return _refusal(proxy, int(tunnel[1]), tunnel[2])
        if isinstance(error, ConnectionRefusedError | socket.gaierror):
            kind = "DNS lookup failed" if isinstance(error, socket.gaierror) else "connection refused"
            return f"{proxy} does not answer: {kind}; correct {proxy.variable}, or name the server in NO_PROXY"
        return f"through {proxy}: {_cause(error)}"


def _refusal(proxy: Proxy, status: int, reason: str) -> str:
    if status == PROXY_AUTHENTICATION_REQUIRED:
        return f"{proxy} requires authentication (407): set {proxy.variable} to http://user:password@host:port"
    return f"{proxy} refused the connection: {status} {reason.strip()}"


def _cause(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            # The words of OpenSSL, by which people search.
            return (
                f"TLS certificate verification failed (certificate verify failed: {error.verify_message}); "
                "set SSL_CERT_FILE for a private CA"
            )
        case ssl.SSLError():
            # Errors raised by Python code lack the attribute.
            reason = getattr(error, "reason", None) or error.strerror or "connection closed"
            return f"TLS handshake failed ({reason}); does the server speak plain http?"
        case socket.gaierror():
            return "DNS lookup failed; check the host name and the network"
        case ConnectionRefusedError():
            return "connection refused; check that Livewatch is running and that the port is right"
        case TimeoutError():
            return "request timed out; check for a firewall in between"
    return f"connection failed: {type(error).__name__}"


def _decode(response: http.client.HTTPResponse) -> Response:
    raw = response.read(MAX_RESPONSE_BYTES + 1)
    if not response.isclosed():
        raise http.client.HTTPException(f"response larger than {MAX_RESPONSE_BYTES} bytes")
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    return Response(
        status=response.status,
        body=parsed,
        retry_after=_seconds(response.getheader("Retry-After")),
        location=response.getheader("Location"),
    )


def _seconds(header: str | None) -> float | None:
    try:
        return min(MAX_RETRY_AFTER_SECONDS, max(0.0, float(header))) if header else None
    except ValueError:
        return None
