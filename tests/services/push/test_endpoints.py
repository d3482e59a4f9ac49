"""Endpoints of devices lead to public push services only, whatever a browser claims and a name server answers."""

import httpcore
import httpx
import pytest

from services.errors import NotAccepted
from services.push.endpoints import PublicNetwork, checked_endpoint, is_of_apple, public_transport

PUBLIC = "93.184.216.34"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAA",
        "https://web.push.apple.com/QAbc",
        "https://wns2-am3p.notify.windows.com/w/?token=BQYAAA%2b",
        f"https://{PUBLIC}/x",
    ],
)
def test_push_services_are_accepted(endpoint: str) -> None:
    assert checked_endpoint(endpoint) == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        *(
            "",
            "https://",
            "https:///x",
            "no url",
            "https://[::1",
            "https://a b.example.com/",
            "https://x.example.com/\n",
        ),
        *(
            "http://push.example.com/secret",
            "ftp://push.example.com/secret",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ),
        *("https://localhost/secret", "https://127.0.0.1/secret", "https://[::1]/secret", "https://0.0.0.0/secret"),
        *(
            "https://10.0.0.1/secret",
            "https://192.168.1.1/secret",
            "https://169.254.169.254/latest",
            "https://100.64.0.1/",
        ),
        *("https://[::ffff:127.0.0.1]/secret", "https://[fd00::1]/", "https://[2002:7f00:1::]/", "https://224.0.0.1/"),
        *("https://push.example.com:8443/secret", "https://user@push.example.com/secret", "https://db/secret"),
        *(
            "https://printer.local/secret",
            "https://x.localhost/",
            "https://metadata.google.internal/",
            "https://a.b\\@c.d/",
        ),
        "https://push.example.com/" + "x" * 1000,
    ],
)
def test_what_is_no_push_service_is_refused_and_its_secret_is_not_repeated(endpoint: str) -> None:
    with pytest.raises(NotAccepted) as refused:
        checked_endpoint(endpoint)
    assert "secret" not in str(refused.value)


class Network(httpcore.AsyncMockBackend):
    """Network that notes where it is asked to connect."""

    def __init__(self) -> None:
        super().__init__([])
        self.hosts: list[str] = []

    async def connect_tcp(self, host: str, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        self.hosts.append(host)
        raise httpcore.ConnectError("not in this test")


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1"], ["10.1.2.3"], ["::1"], [PUBLIC, "169.254.169.254"], ["fe80::1%eth0"], []]
)
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(addresses: list[str]) -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return addresses

    network = Network()
    transport = public_transport(PublicNetwork(resolve=resolve, network=network))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError, match="not public"):
            await client.post("https://rebound.example.com/")
    assert network.hosts == []


async def test_the_address_that_was_checked_is_connected_to_so_that_a_second_answer_leads_nowhere() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def resolve(host: str, port: int) -> list[str]:
        return next(answers)

    network = Network()
    transport = public_transport(PublicNetwork(resolve=resolve, network=network))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError):
            await client.post("https://rebound.example.com/")
    assert network.hosts == [PUBLIC]


async def test_a_name_that_cannot_be_resolved_is_a_failure_of_the_connection() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError("no such name")

    async with httpx.AsyncClient(transport=public_transport(PublicNetwork(resolve=resolve))) as client:
        with pytest.raises(httpx.ConnectError, match="cannot be resolved"):
            await client.post("https://nowhere.example.com/")


def test_devices_of_apple_are_known_by_the_host() -> None:
    assert is_of_apple("https://web.push.apple.com/x")
    assert not is_of_apple("https://web.push.apple.com.example.org/x")
