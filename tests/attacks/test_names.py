"""The door of names: DNS rebinding, forged hosts, and whom the app takes for a person at its own machine."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import websockets
from websockets.exceptions import InvalidStatus

from tests.app_process import AppProcess, running
from tests.attacks.conftest import Visitor
from tests.speed import deadline

pytestmark = pytest.mark.e2e
EVIL = "rebound.evil.test"
FORWARDED = [
    {"X-Forwarded-For": "8.8.8.8"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Prefix": "/watch"},
    {"X-Forwarded-Host": "localhost"},
    {"Forwarded": "for=8.8.8.8"},
    {"X-Real-IP": "8.8.8.8"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "8.8.8.8"},
    {"CF-Ray": "x"},
]


@pytest.fixture(scope="module")
async def demo_app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AppProcess]:
    """Yield an app with a local Supabase, whose demo is open to this machine."""
    data: Path = tmp_path_factory.mktemp("demo") / "data"
    hosts = "watch.example.org, *.corp.example"
    async with running({"LIVEWATCH_DATA": str(data), "LIVEWATCH_HOSTS": hosts, "LIVEWATCH_DEMO_SCAN": "0"}) as app:
        yield app


@pytest.fixture
async def demo(demo_app: AppProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=demo_app.url, timeout=deadline(10)) as http:
        yield http


async def asked_raw(url: str, *lines: str) -> str:
    """Send a request as it is; returns the status line."""
    target = urlsplit(url)
    reader, writer = await asyncio.open_connection(target.hostname, target.port)
    writer.write("\r\n".join([*lines, "Connection: close", "", ""]).encode())
    async with asyncio.timeout(deadline(10)):
        status = await reader.readline()
    writer.close()
    return status.decode().strip()


@pytest.mark.parametrize(
    "host", [EVIL, f"{EVIL}:8080", "localhost.evil.test", "127.0.0.1.evil.test", "a b", "x@localhost"]
)
async def test_a_rebound_name_reaches_nothing(demo: httpx.AsyncClient, demo_app: AppProcess, host: str) -> None:
    """A page of another site may have its name lead here, and is then of the same origin as its own requests."""
    for method, path in (("POST", "/session/demo"), ("GET", "/sign-in"), ("GET", "/metrics"), ("GET", "/healthz")):
        answer = await demo.request(method, path, headers={"Host": host, "Origin": f"http://{host}"})
        assert answer.status_code == 421, (method, path)
        assert "set-cookie" not in answer.headers
    if host == EVIL:
        assert "LIVEWATCH_HOSTS" in answer.text
        assert EVIL in answer.text
    status = await asked_raw(demo_app.url, "GET /healthz HTTP/1.1", f"Host: {host}", "Host: localhost")
    assert status.split()[1] in ("400", "421")


async def test_a_rebound_name_opens_no_socket(app: AppProcess) -> None:
    """The same-origin check compares two headers that both name the attacker's host."""
    url = f"{app.url}/_nicegui_ws/socket.io/?EIO=4&transport=websocket".replace("http", "ws", 1)
    target = urlsplit(app.url)
    rebound = url.replace(target.netloc, f"{EVIL}:{target.port}")
    with pytest.raises(InvalidStatus) as refusal:
        await websockets.connect(
            rebound,
            host=target.hostname,
            port=target.port,
            origin=f"http://{EVIL}:{target.port}",  # type: ignore[arg-type]
        )
    assert refusal.value.response.status_code == 421


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST.", 200),
        ("app.localhost:8080", 200),
        ("[::1]:8080", 200),
        ("192.0.2.7:8080", 200),
        ("watch.example.org", 200),
        ("Watch.Example.org:443", 200),
        ("a.corp.example", 200),
        ("a.b.corp.example", 200),
        ("corp.example", 421),
        ("acorp.example", 421),
        ("sub.watch.example.org", 421),
    ],
)
async def test_own_names_and_addresses_lead_in(demo: httpx.AsyncClient, host: str, status: int) -> None:
    """An address cannot be rebound, and a name counts only as it is written in LIVEWATCH_HOSTS."""
    assert (await demo.get("/healthz", headers={"Host": host})).status_code == status


async def test_a_stranger_cannot_say_under_which_host_he_came(demo: httpx.AsyncClient) -> None:
    """X-Forwarded-Host counts from a trusted proxy only, neither to get in nor to be led elsewhere."""
    said = {"Host": EVIL, "X-Forwarded-Host": "localhost"}
    assert (await demo.get("/healthz", headers=said)).status_code == 421
    answer = await demo.get("/monitoring", headers={"X-Forwarded-Host": EVIL})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/monitoring")


@pytest.mark.parametrize("header", FORWARDED, ids=lambda each: next(iter(each)))
async def test_the_demo_is_closed_to_whom_a_proxy_lets_through(demo: httpx.AsyncClient, header: dict[str, str]) -> None:
    """A proxy or tunnel on this machine connects from the loopback address for everybody."""
    answer = await demo.post("/session/demo", headers=header)
    assert answer.status_code in (403, 421)
    assert "set-cookie" not in answer.headers
    assert (await demo.get("/metrics", headers=header)).status_code in (403, 421)
    page = await demo.get("/sign-in", headers=header)
    assert "enter-demo" not in page.text
    assert "not offered through a proxy" in page.text or page.status_code == 421


@pytest.mark.parametrize("host", ["watch.example.org", "192.0.2.7"])
async def test_the_demo_is_closed_under_a_public_name(demo: httpx.AsyncClient, host: str) -> None:
    """A proxy that adds no header at all passes on the name that people typed."""
    answer = await demo.post("/session/demo", headers={"Host": host})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert (await demo.get("/metrics", headers={"Host": host})).status_code == 403
    assert "only on the app" in (await demo.get("/sign-in", headers={"Host": host})).text


async def test_a_person_at_the_machine_still_enters(demo: httpx.AsyncClient) -> None:
    """The control of the attacks above."""
    assert "enter-demo" in (await demo.get("/sign-in")).text
    assert (await demo.post("/session/demo")).status_code == 303
    assert (await demo.get("/metrics")).status_code == 200


async def test_the_demo_can_be_switched_off(tmp_path: Path) -> None:
    """LIVEWATCH_DEMO=0, for machines that several people share."""
    settings = {"LIVEWATCH_DATA": str(tmp_path / "data"), "LIVEWATCH_DEMO": "0"}
    async with running(settings) as app, httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        assert (await http.post("/session/demo")).status_code == 404
        page = (await http.get("/sign-in")).text
        assert "enter-demo" not in page
        assert "LIVEWATCH_DEMO=0" in page


async def test_without_a_local_supabase_no_demo_is_spoken_of(visitor: Visitor) -> None:
    """A hosted project has no demo user, and its visitors need not hear of one."""
    page = (await visitor().get("/sign-in")).text
    assert "demo" not in page.lower()
