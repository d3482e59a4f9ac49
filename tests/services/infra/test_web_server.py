"""Web server: listening socket and URLs."""

import asyncio
import socket

import pytest

from services.errors import ConfigurationError
from services.infra.web_server import browser_url, is_loopback, listen, local_url
from services.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_a_loopback_address_keeps_the_demo_entry_to_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.7", "example.org", ""])
def test_any_other_address_takes_the_demo_entry_away(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "reached_at"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")]
)
def test_a_process_of_this_machine_reaches_the_app_wherever_it_listens(host: str, reached_at: str) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:
        try:
            listener.bind((host, 0))
        except OSError as error:
            pytest.skip(f"no such address here: {error}")
        assert local_url(listener) == f"http://{reached_at}:{listener.getsockname()[1]}"


async def test_no_answer_waits_for_the_acknowledgement_of_the_one_before() -> None:
    with listen(Settings(LIVEWATCH_HOST="127.0.0.1", LIVEWATCH_PORT=0)) as listener:
        accepted: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            served = writer.get_extra_info("socket")
            accepted.set_result(served.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(serve, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            assert await accepted, "an answer of two pieces took 40 ms"
            writer.close()


def test_the_address_is_one_to_type_into_a_browser_here() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert browser_url(Settings(LIVEWATCH_HOST="127.0.0.1"), listener) == f"http://localhost:{port}"
        assert browser_url(Settings(LIVEWATCH_HOST="0.0.0.0"), listener) == f"http://localhost:{port}"
        assert browser_url(Settings(LIVEWATCH_HOST="192.168.0.7"), listener) == f"http://192.168.0.7:{port}"


def test_an_address_that_is_not_of_this_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Port 0 on 198\.51\.100\.7"):
        listen(Settings(LIVEWATCH_HOST="198.51.100.7", LIVEWATCH_PORT=0))
