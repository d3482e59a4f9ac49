"""The network to addresses that people gave, and what answers from there say."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpcore
import httpx
import pytest

from services.delivery.network import PublicNetwork, beginning_of, public_transport, retry_after

PUBLIC = "93.184.216.34"


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


async def test_private_addresses_are_connected_to_where_they_are_allowed_and_each_address_is_tried() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        return ["10.1.2.3", "10.1.2.4"]

    network = Network()
    transport = public_transport(PublicNetwork(resolve=resolve, network=network, allow_private=True))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx.ConnectError, match="not in this test"):
            await client.post("http://hook.example.com/")
    assert network.hosts == ["10.1.2.3", "10.1.2.4"]


def answer(given: str) -> httpx.Response:
    return httpx.Response(429, headers=[(b"retry-after", given.encode("latin-1"))])


def test_the_time_of_the_next_try_is_read_in_both_forms() -> None:
    now = time.time()
    assert retry_after(answer("7"), now) == 7
    later = datetime.now(UTC) + timedelta(seconds=100)
    assert 90 < (retry_after(answer(format_datetime(later, usegmt=True)), now) or 0) <= 100
    assert retry_after(answer(format_datetime(later - timedelta(days=1))), now) == 0
    assert retry_after(answer("soon"), now) is None
    assert retry_after(answer(""), now) is None
    assert retry_after(answer("\u00b2"), now) is None
    assert retry_after(answer("9" * 400), now) == 999_999_999


async def test_the_beginning_of_an_answer_is_one_line_without_what_is_hidden() -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield "a\n b\x1b[31m\u202e".encode()
        for _ in range(3):
            yield b"\xff" * 3000

    response = httpx.Response(400, content=parts())
    assert await beginning_of(response, characters=6) == "a b\ufffd\ufffd\ufffd"
