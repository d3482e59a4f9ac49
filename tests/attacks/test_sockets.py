"""The door of the windows: Socket.IO, whose page ids are no proof of anything."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.app_process import AppProcess
from tests.attacks.conftest import Visitor, enter
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.e2e
PATH = "/_nicegui_ws/socket.io/"


async def page_of(http: httpx.AsyncClient, path: str = "/monitoring") -> dict[str, Any]:
    """Load a page; returns what its socket would say of itself."""
    answer = await http.get(path)
    assert answer.status_code == 200
    found = re.search(r"client_id\W+([0-9a-f-]{36})", answer.text)
    assert found, answer.text
    tab = {"document_id": str(uuid4()), "tab_id": str(uuid4()), "old_tab_id": "null"}
    return {"client_id": found[1], "next_message_id": 0, "implicit_handshake": True, **tab}


@asynccontextmanager
async def socket_of(http: httpx.AsyncClient, said: dict[str, Any], *, in_url: bool = False) -> AsyncIterator["Socket"]:
    """Open a socket with the client's cookies, and say what the page would."""
    query = {"EIO": 4, "transport": "websocket"} | ({**said, "implicit_handshake": "true"} if in_url else {})
    cookies = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
    url = f"{str(http.base_url).rstrip('/')}{PATH}?{urlencode(query)}".replace("http", "ws", 1)
    async with connect(url, additional_headers={"Cookie": cookies} if cookies else {}, max_size=None) as connection:
        assert str(await connection.recv()).startswith("0")
        await connection.send("40" if in_url else "40" + json.dumps(said))
        async with asyncio.timeout(deadline(10)):
            while not (answer := str(await connection.recv())).startswith(("40", "44")):
                pass
        yield Socket(connection, answer, said["client_id"])


class Socket:
    """An open socket, after the answer to its handshake."""

    def __init__(self, connection: ClientConnection, answer: str, client_id: str) -> None:
        self.is_accepted = answer.startswith("40")
        self.answer = answer
        self._connection = connection
        self._client_id = client_id

    async def log(self, message: str, *, as_client: str | None = None) -> None:
        """Have the app log a message, as NiceGUI's client does for errors of the page."""
        body = {"client_id": as_client or self._client_id, "level": "error", "message": message}
        await self._connection.send("42" + json.dumps(["log", body]))

    async def send(self, message: str | bytes) -> None:
        """Send any message."""
        await self._connection.send(message)

    async def settle(self) -> None:
        """Wait until the app has read all that was sent before."""
        await self._connection.send('420["handshake",{}]')
        async with asyncio.timeout(deadline(20)):
            while not str(await self._connection.recv()).startswith("430"):
                pass


@pytest.mark.parametrize("in_url", [False, True])
async def test_a_stolen_page_id_opens_nothing_without_its_cookie(world: World, visitor: Visitor, in_url: bool) -> None:
    """The id stands in the page and once stood in logs; only the cookie, which scripts and logs never see, is proof."""
    org = await world.organization()
    ada = await enter(visitor(), await world.person(org))
    eve = await enter(visitor(), await world.person(await world.organization()))
    said = await page_of(ada)
    for thief in (visitor(), eve, visitor(cookies={"livewatch_session": "forged"})):
        async with socket_of(thief, said, in_url=in_url) as socket:
            assert not socket.is_accepted
            assert "belongs to another session" in socket.answer
    async with socket_of(ada, said, in_url=in_url) as socket:
        assert socket.is_accepted


async def test_a_thief_without_a_cookie_cannot_shake_hands_later(world: World, visitor: Visitor) -> None:
    """A page that the browser prepared in advance shakes hands by an event, which must ask the same."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    said = {**await page_of(ada), "implicit_handshake": False}
    async with socket_of(visitor(), said) as socket:
        await socket._connection.send("421" + json.dumps(["handshake", said]))
        async with asyncio.timeout(deadline(10)):
            while not (answer := str(await socket._connection.recv())).startswith("431"):
                pass
        assert answer == "431[false]"


async def test_a_renewed_cookie_keeps_its_windows(world: World, visitor: Visitor) -> None:
    """The cookie's value changes with every renewal; the session stays, and with it the window that reconnects."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    said = await page_of(ada)
    async with socket_of(ada, said) as socket:
        assert socket.is_accepted
    before = ada.cookies["livewatch_session"]
    await asyncio.sleep(1.1)  # the cookie holds its time in seconds
    assert (await ada.post("/session/renew")).status_code == 204
    assert ada.cookies["livewatch_session"] != before
    async with socket_of(ada, {**said, "document_id": str(uuid4())}) as socket:
        assert socket.is_accepted


async def test_events_in_the_name_of_another_page_are_dropped(world: World, visitor: Visitor, app: AppProcess) -> None:
    """Every message names a page; a socket may speak for its own only, and only while its session lasts."""
    org = await world.organization()
    ada = await enter(visitor(), await world.person(org))
    eve = await enter(visitor(), await world.person(org))
    theirs, mine = await page_of(ada), await page_of(eve)
    async with socket_of(ada, theirs), socket_of(eve, mine) as socket:
        await socket.log("forged by eve", as_client=theirs["client_id"])
        await socket.log("written by eve")
        await socket.settle()
        await until(lambda: "written by eve" in "\n".join(app.lines), what="her own message")
        assert (await eve.post("/session/end")).status_code == 303
        await socket.log("written after the end")
        await socket.settle()
    assert "forged by eve" not in "\n".join(app.lines)
    assert "written after the end" not in "\n".join(app.lines)


async def test_a_stolen_connection_id_cannot_be_polled(world: World, visitor: Visitor) -> None:
    """The id of a polled connection stands in its URL: reading or posting with it needs its session's cookie, too."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    opened = await ada.get(PATH, params={"EIO": "4", "transport": "polling"})
    sid = json.loads(opened.text[1:])["sid"]
    query = {"EIO": "4", "transport": "polling", "sid": sid}
    thief = visitor()
    assert (await thief.post(PATH, params=query, content="40")).status_code == 403
    assert (await thief.get(PATH, params=query)).status_code == 403
    assert (await ada.post(PATH, params=query, content="40")).status_code == 200


async def test_nobody_floods_the_log(world: World, visitor: Visitor, app: AppProcess) -> None:
    """A browser may report its errors: without a session none, and with one a few."""
    stranger = visitor()
    async with socket_of(stranger, await page_of(stranger, "/sign-in")) as socket:
        assert socket.is_accepted
        for _ in range(300):
            await socket.log("flood of a stranger")
        await socket.settle()
    ada = await enter(visitor(), await world.person(await world.organization()))
    async with socket_of(ada, await page_of(ada)) as socket:
        for _ in range(300):
            await socket.log("flood of a member " + "x" * 5000)
        await socket.settle()
    await asyncio.sleep(0.5)
    text = "\n".join(app.lines)
    assert "flood of a stranger" not in text
    assert 1 <= text.count("flood of a member") < 60
    assert "x" * 3000 not in text


JUNK = (
    "",
    "9",
    "42",
    "42[",
    '42["event"]',
    '42{"event": 1}',
    '42["event", {"id": "x"}]',
    '42["event",{"client_id":7,"id":-1,"listener_id":[],"args":null}]',
    '42["run_method",null]',
    '42["__class__",{}]',
    "451-[]",
    "2" * 500,
    "4" + "2" * 500,
    '42["log"' + ",[" * 500 + "]" * 501,
    "\0\ud7ff",
)


async def test_malformed_and_oversized_messages_end_at_most_their_own_socket(
    world: World, visitor: Visitor, app: AppProcess
) -> None:
    """The protocol's parser is in the process of everybody's windows."""
    org = await world.organization()
    victim = await enter(visitor(), await world.person(org))
    attacker = await enter(visitor(), await world.person(org))
    messages: list[str | bytes] = [*JUNK, *(each.encode() for each in JUNK)]
    for message in (*messages, "42" + json.dumps(["log", "x" * 1_200_000])):
        with suppress(ConnectionClosed):
            async with socket_of(attacker, await page_of(attacker)) as socket:
                await socket.send(message)
                await socket.settle()
    said = await page_of(attacker)
    with suppress(ConnectionClosed):
        async with socket_of(attacker, said) as socket:
            for number in range(5_000):
                # Of another page, and of the own one, for a listener that no page has.
                page = said["client_id"] if number % 2 else "none"
                await socket.send(
                    '42["event",' + json.dumps({"client_id": page, "id": 1, "listener_id": [], "args": 7}) + "]"
                )
            await socket.settle()
    async with socket_of(victim, await page_of(victim)) as socket:
        await socket.settle()
    text = "\n".join(app.lines)
    assert "Traceback" not in text
    assert text.count("malformed event") < 60


async def test_sockets_that_say_nothing_cost_the_others_nothing(
    world: World, visitor: Visitor, app: AppProcess
) -> None:
    """Opening one takes a stranger a few bytes."""
    ada = await enter(visitor(), await world.person(await world.organization()))
    url = f"{app.url}{PATH}?EIO=4&transport=websocket".replace("http", "ws", 1)
    async with AsyncExitStack() as stack:
        for _ in range(300):
            await stack.enter_async_context(connect(url))
        began = time.perf_counter()
        async with socket_of(ada, await page_of(ada)) as socket:
            await socket.settle()
        assert time.perf_counter() - began < deadline(5)
