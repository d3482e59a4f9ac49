"""The HTTP client: error messages, keep-alive and retries."""

import http.client
import socket
import ssl

import pytest
from livewatch.delivery.client import Client, Response, UnreachableError
from livewatch.settings import IngestKey, Settings

from tests.sdk.api_server import KEY, ApiServer

UNTRUSTED = ssl.SSLCertVerificationError(1, "certificate verify failed")
UNTRUSTED.verify_message = "self-signed certificate"


def client_of(url: str) -> Client:
    return Client(Settings(url=url, key=IngestKey(KEY), queue_file=None))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            UNTRUSTED,
            "TLS certificate verification failed (certificate verify failed: self-signed certificate); "
            "set SSL_CERT_FILE for a private CA",
        ),
        (ssl.SSLError(1, "wrong version number"), "TLS handshake failed (wrong version number)"),
        (socket.gaierror(-2, "Name or service not known"), "DNS lookup failed; check the host name and the network"),
        (ConnectionRefusedError(111, "refused"), "connection refused; check that Livewatch is running"),
        (TimeoutError("timed out"), "request timed out; check for a firewall in between"),
        (http.client.IncompleteRead(b""), "connection failed: IncompleteRead"),
    ],
)
def test_an_error_names_the_server_the_cause_and_the_fix(
    monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    def connect(_: http.client.HTTPConnection) -> None:
        raise error

    monkeypatch.setattr(http.client.HTTPConnection, "connect", connect)
    with pytest.raises(UnreachableError) as raised:
        client_of("http://livewatch.test:81").request("GET", "/me")
    assert str(raised.value).startswith(f"cannot reach http://livewatch.test:81: {sentence}")
    assert raised.value.__cause__ is error
    with pytest.raises(UnreachableError, match="cannot reach"):
        next(client_of("http://livewatch.test:81").listen("/feed", timeout=1 / 2))


def test_a_connection_is_kept_and_made_anew_where_the_server_has_closed_it(server: ApiServer) -> None:
    client = client_of(server.url)
    assert client.request("GET", "/me").status == 200
    assert client._connection is not None
    kept = client._connection.sock
    assert client.request("GET", "/me").status == 200
    assert client._connection.sock is kept
    kept.shutdown(socket.SHUT_RDWR)
    assert client.request("GET", "/me").status == 200
    client.close()
    client.close()


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"error": {"message": "too long", "field": "name"}}, "too long (name)"),
        ({"error": {"message": "unknown key"}}, "unknown key"),
        ({"error": "odd"}, "the server answered with status 418"),
        (None, "the server answered with status 418"),
    ],
)
def test_an_error_response_quotes_the_servers_message(body: object, sentence: str) -> None:
    assert Response(418, body).error == sentence
