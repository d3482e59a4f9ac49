"""Allowed hosts: whose headers count, and what the settings may hold. The attacks are in tests/attacks."""

from typing import Any

import pytest

from services.errors import ConfigurationError
from services.infra import web_server
from services.infra.hosts import AllowedHosts
from services.infra.proxies import is_forwarded
from services.infra.rate_limiter import network_of
from services.settings import Settings, read_settings


async def asked(*headers: tuple[str, str], client: str = "10.0.0.7", names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the scope that the app gets; empty if the request was refused with 421."""
    scopes: list[Any] = []
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = {"type": "http", "path": "/", "headers": raw, "client": (client, 1)}
    await AllowedHosts(app, names=names, proxies=["10.0.0.0/8"])(scope, None, send)  # type: ignore[arg-type]
    assert bool(scopes) != bool(sent)
    assert not sent or sent[0]["status"] == 421
    return dict(scopes[0]) if scopes else {}


async def test_a_trusted_proxy_states_the_host_that_the_browser_asked_for() -> None:
    headers = (("host", "app1:8080"), ("x-forwarded-host", "watch.example.org, inner"))
    scope = await asked(*headers, names=("watch.example.org",))
    assert scope["headers"] == [(b"host", b"watch.example.org")]
    assert is_forwarded(scope), "the demo stays closed although the header is gone"
    assert not await asked(*headers, names=("watch.example.org",), client="192.0.2.1")
    assert not await asked(("host", "localhost"), ("x-forwarded-host", "evil.test"))


async def test_a_health_check_without_a_host_is_answered() -> None:
    assert await asked()
    assert not await asked(("host", ""))


@pytest.mark.parametrize("hosts", ["https://watch.example.org", "watch.example.org:443", "a b", "*", "*example.org"])
def test_a_host_that_is_no_name_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch, hosts: str) -> None:
    monkeypatch.setenv("LIVEWATCH_HOSTS", hosts)
    with pytest.raises(ConfigurationError, match="LIVEWATCH_HOSTS"):
        read_settings()


def test_where_others_can_connect_the_machines_own_name_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Works.lan")
    assert "works.lan" not in web_server.allowed_hosts(Settings())
    hosts = web_server.allowed_hosts(Settings(LIVEWATCH_HOST="0.0.0.0", LIVEWATCH_HOSTS=" watch.example.org , "))
    assert {"works.lan", "works.local", "watch.example.org"} <= set(hosts)


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:7:1:2:3:4", "2001:db8:0:7::"),
        ("2001:db8:0:7::9", "2001:db8:0:7::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::"),
        ("not an address", "not an address"),
        ("", ""),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(address: str, network: str) -> None:
    assert network_of(address) == network
