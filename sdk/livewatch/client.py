"""The client: one connection to the API that is kept open, and what came back."""

import http.client
import json
import os
import socket
import ssl
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from livewatch.settings import API, Settings

TIMEOUT = 10.0
ANSWER_BYTES = 16 * 2**20
LINE_BYTES = 2**16
LONGEST_PAUSE = 300.0


class Unreachable(Exception):
    """No answer; the message says why and what to do. Whether the request was carried out is not known."""


@dataclass(frozen=True)
class Answer:
    """`body` is what the JSON says, or None where it is none. `retry_after` is in seconds, if the server asked."""

    status: int
    body: Any
    retry_after: float | None = None
    location: str | None = None

    @property
    def error(self) -> str:
        """The server's own words about a refusal, or as much as there is to say."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        if isinstance(error, dict) and error.get("message"):
            field = f" ({error['field']})" if error.get("field") else ""
            return f"{error['message']}{field}"
        return f"the server answered {self.status}"

    @property
    def code(self) -> str | None:
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error["code"]) if isinstance(error, dict) and "code" in error else None


class Refused(Exception):
    """The server answered, but not with what was asked for."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.error)
        self.answer = answer


class Client:
    """Asks one server as one key; for one thread at a time. Proxies are those of the environment."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._url = urlsplit(settings.url)
        self._connection: http.client.HTTPConnection | None = None
        self._prefix = ""

    def request(self, method: str, path: str, body: str | None = None, *, timeout: float = TIMEOUT) -> Answer:
        """Ask once; raises Unreachable. Each wait for the network is at most `timeout` seconds."""
        kept = self._connection is not None
        try:
            return self._ask(method, path, body, timeout)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self.close()
            # A server may close a connection that it kept open for long; every write may be repeated by its key.
            if not kept:
                raise self._unreachable(error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise self._unreachable(error) from None
        try:
            return self._ask(method, path, body, timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise self._unreachable(error) from None

    def listen(self, path: str, *, timeout: float) -> Iterator[str]:
        """The lines of an answer that goes on, as they come, over a connection of its own.

        Raises Refused, and Unreachable when nothing comes for `timeout` seconds. Ends when the server ends it.
        """
        connection = self._connect(timeout)
        headers = {"Authorization": f"Bearer {self._settings.key.reveal()}", "Accept": "text/event-stream"}
        try:
            connection.request("GET", self._target(path), headers=headers)
            response = connection.getresponse()
            if response.status != 200:
                raise Refused(_answer(response))
            while line := response.readline(LINE_BYTES):
                yield line.decode("utf-8", "replace").rstrip("\r\n")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._unreachable(error) from None
        finally:
            connection.close()

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def abandon(self) -> None:
        """For a forked child: let go of the parent's connection, and leave its objects alone.

        To close them takes a lock that a thread of the parent may have held at the fork, and nobody lets go of here.
        """
        connection = self._connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                os.close(connection.sock.detach())

    def _ask(self, method: str, path: str, body: str | None, timeout: float) -> Answer:
        connection = self._connection or self._connect(timeout)
        self._connection = connection
        connection.timeout = timeout
        if connection.sock is not None:
            connection.sock.settimeout(timeout)
        headers = {"Authorization": f"Bearer {self._settings.key.reveal()}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = body.encode() if body is not None else None
        connection.request(method, self._target(path), content, headers)
        return _answer(connection.getresponse())

    def _target(self, path: str) -> str:
        return f"{self._prefix}{self._url.path}{API}{path}"

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        scheme, host = self._url.scheme, self._url.hostname or ""
        secure = scheme == "https"
        address = urllib.request.getproxies().get(scheme)
        self._prefix = ""
        if not address or urllib.request.proxy_bypass(host):
            if secure:
                return http.client.HTTPSConnection(host, self._url.port, timeout=timeout)
            return http.client.HTTPConnection(host, self._url.port, timeout=timeout)
        proxy = urlsplit(address if "//" in address else f"//{address}")
        through = proxy.hostname or "", proxy.port or 8080
        if secure:
            tunnel = http.client.HTTPSConnection(*through, timeout=timeout)
            tunnel.set_tunnel(host, self._url.port or 443)
            return tunnel
        self._prefix = f"http://{self._url.netloc}"
        return http.client.HTTPConnection(*through, timeout=timeout)

    def _unreachable(self, error: Exception) -> Unreachable:
        where = f"{self._url.scheme}://{self._url.netloc}"
        if isinstance(error, ssl.SSLCertVerificationError):
            why = f"does not prove who it is ({error.verify_message}); SSL_CERT_FILE can name your own authority"
        elif isinstance(error, ssl.SSLError):
            why = (
                f"does not speak TLS as expected ({error.reason or 'broken off'}); is it http:// rather than https://?"
            )
        elif isinstance(error, socket.gaierror):
            why = "has a name that no name server knows; look at its spelling and at the network"
        elif isinstance(error, ConnectionRefusedError):
            why = "refuses the connection; is Livewatch running there, and is the port right?"
        elif isinstance(error, TimeoutError):
            why = "did not answer in time; is a firewall in between?"
        else:
            why = f"broke off ({type(error).__name__})"
        return Unreachable(f"{where} {why}")


def _answer(response: http.client.HTTPResponse) -> Answer:
    raw = response.read(ANSWER_BYTES + 1)
    if not response.isclosed():
        raise http.client.HTTPException("the answer is too long")
    try:
        parsed = json.loads(raw)
    except ValueError:
        parsed = None
    return Answer(
        status=response.status,
        body=parsed,
        retry_after=_seconds(response.getheader("Retry-After")),
        location=response.getheader("Location"),
    )


def _seconds(header: str | None) -> float | None:
    try:
        return min(LONGEST_PAUSE, max(0.0, float(header))) if header else None
    except ValueError:
        return None
