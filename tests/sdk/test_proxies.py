"""Proxies: credentials, exceptions, and errors that name the proxy rather than the server."""

import base64
import http.server
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from livewatch.delivery.client import Client, UnreachableError
from livewatch.delivery.proxies import is_excluded
from livewatch.settings import IngestKey, Settings

from tests.sdk.api_server import KEY, ApiServer

CREDENTIALS = base64.b64encode(b"us er:se:cret@").decode()


@dataclass
class FakeProxy:
    """Answers every request with `status`, or 200 and an empty object; records the requests."""

    port: int = 0
    status: int = 200
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProxy]:
    fake = FakeProxy()

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            fake.requests.append((self.command, self.path, dict(self.headers)))
            self.send_response(fake.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_CONNECT = handle_any

        def log_message(self, format: str, *args: object) -> None: ...

    listener = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, args=(0.02,))
    thread.start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield fake
    listener.shutdown()
    listener.server_close()
    thread.join()


def told(url: str) -> str:
    """Return the error of a request."""
    client = Client(Settings(url=url, key=IngestKey(KEY), queue_file=None))
    with pytest.raises(UnreachableError) as raised:
        client.request("GET", "/me")
    client.close()
    assert "se%3Acret" not in str(raised.value)
    return str(raised.value)


def use(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, f"http://us%20er:se%3Acret%40@127.0.0.1:{proxy.port}")


def test_a_plain_request_through_a_proxy_has_its_credentials(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    use(proxy, monkeypatch)
    client = Client(Settings(url="http://livewatch.test/app", key=IngestKey(KEY), queue_file=None))
    assert client.request("GET", "/me").status == 200
    client.close()
    ((method, path, headers),) = proxy.requests
    assert (method, path) == ("GET", "http://livewatch.test/app/api/v1/me")
    assert headers["Proxy-Authorization"] == f"Basic {CREDENTIALS}"
    assert headers["User-Agent"].startswith("livewatch/")


def test_a_tunnel_has_the_credentials_and_not_the_key(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    use(proxy, monkeypatch)
    proxy.status = 502
    assert "refused the connection: 502" in told("https://livewatch.test")
    ((method, path, headers),) = proxy.requests
    assert (method, path) == ("CONNECT", "livewatch.test:443")
    assert headers["Proxy-Authorization"] == f"Basic {CREDENTIALS}"
    assert "Authorization" not in headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_credentials_is_named(
    proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    variable = f"{scheme.upper()}_PROXY"
    monkeypatch.setenv(variable, f"127.0.0.1:{proxy.port}")
    proxy.status = 407
    assert told(f"{scheme}://livewatch.test") == (
        f"cannot reach {scheme}://livewatch.test: the proxy 127.0.0.1:{proxy.port} ({variable}) requires "
        f"authentication (407): set {variable} to http://user:password@host:port"
    )


def test_a_dead_or_odd_proxy_is_blamed_and_not_the_server(proxy: FakeProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    message = told("http://livewatch.test")
    assert f"the proxy 127.0.0.1:{port} (HTTP_PROXY) does not answer: connection refused" in message
    assert "Livewatch is running" not in message
    for odd in ("socks5://127.0.0.1:1", "http://127.0.0.1:many"):
        monkeypatch.setenv("HTTP_PROXY", odd)
        assert "HTTP_PROXY is not" in told("http://livewatch.test")


def test_a_server_in_no_proxy_is_reached_directly(
    proxy: FakeProxy, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(proxy, monkeypatch)
    monkeypatch.setenv("NO_PROXY", f"other.test,{server.url.removeprefix('http://')}")
    client = Client(Settings(url=server.url, key=IngestKey(KEY), queue_file=None))
    assert client.request("GET", "/me").status == 200
    client.close()
    assert proxy.requests == []


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "is_out"),
    [
        ("livewatch.test", "livewatch.test", 80, True),
        ("livewatch.test:8000", "livewatch.test", 8000, True),
        ("livewatch.test:8000", "livewatch.test", 8001, False),
        (".test", "livewatch.test", 80, True),
        ("*", "livewatch.test", 80, True),
        ("10.0.0.0/8, 192.168.1.1", "10.1.2.3", 80, True),
        ("10.0.0.0/8", "11.1.2.3", 80, False),
        ("10.0.0.0/8", "livewatch.test", 80, False),
        ("", "livewatch.test", 80, False),
    ],
)
def test_no_proxy_names_hosts_ports_domains_and_networks(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, host: str, port: int, is_out: bool
) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert is_excluded(host, port) == is_out
