"""Firefox ESR by WebDriver BiDi and WebKitGTK by WebDriver, of Debian's packages firefox-esr and webkit2gtk-driver."""

import asyncio
import glob
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import ClientConnection, connect

from benchmarks.stage import first_byte, free_port
from tests.speed import deadline
from tests.world import until

START_SECONDS = 20
ANSWER_SECONDS = 20
WIDTH, HEIGHT = 1440, 900
MINI_BROWSERS = ("/usr/lib/*/webkit2gtk-4.1/MiniBrowser", "/usr/libexec/webkit2gtk-4.1/MiniBrowser")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""Key of an element's reference (W3C WebDriver)."""


class PageError(Exception):
    """The browser could not do it in this page, which may be about to be left."""


class OtherBrowser(Protocol):
    """A browser window."""

    async def go(self, url: str) -> None:
        """Open an address and wait until it is loaded."""

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression in the page."""

    async def type(self, selector: str, text: str) -> None:
        """Focus an element and press the keys of a text."""

    async def errors(self) -> list[str]:
        """Return the uncaught errors of the pages so far, as far as the browser reports them."""


@dataclass(eq=False, slots=True, kw_only=True)
class Firefox:
    """A window of Firefox, by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/."""

    socket: ClientConnection
    context: str = ""
    uncaught: list[str] = field(default_factory=list)
    calls: int = 0

    async def start(self) -> None:
        await self._call("session.new", capabilities={})
        await self._call("session.subscribe", events=["log.entryAdded"])
        tree = await self._call("browsingContext.getTree")
        self.context = tree["contexts"][0]["context"]
        size = {"width": WIDTH, "height": HEIGHT}
        await self._call("browsingContext.setViewport", context=self.context, viewport=size)

    async def go(self, url: str) -> None:
        await self._call("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        answer = await self._call(
            "script.evaluate",
            expression=f"JSON.stringify({expression}) ?? 'null'",
            target={"context": self.context},
            awaitPromise=False,
        )
        if answer["type"] != "success":
            raise PageError(str(answer))
        return json.loads(answer["result"]["value"])

    async def type(self, selector: str, text: str) -> None:
        field = json.dumps(selector)
        focus = f"(document.querySelector({field})?.focus(), document.activeElement?.matches({field}) ?? false)"
        await until(lambda: self.evaluate(focus), within=10, what=f"the element {selector}")
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        await self._call("input.performActions", context=self.context, actions=[source])

    async def errors(self) -> list[str]:
        await self.evaluate("0")  # events that came before its answer are read
        return self.uncaught

    async def _call(self, method: str, **params: Any) -> Any:
        self.calls += 1
        id = self.calls
        await self.socket.send(json.dumps({"id": id, "method": method, "params": params}))
        async with asyncio.timeout(deadline(ANSWER_SECONDS)):
            while True:
                message = json.loads(await self.socket.recv())
                if message["type"] == "event":
                    entry = message["params"]
                    is_network = entry["text"].startswith("The connection to ")  # of a socket whose page was left
                    if entry["type"] == "javascript" and entry["level"] == "error" and not is_network:
                        self.uncaught.append(entry["text"])
                elif message["id"] == id:
                    if message["type"] != "success":
                        raise PageError(str(message))
                    return message["result"]


@dataclass(eq=False, slots=True, kw_only=True)
class WebKit:
    """A window of WebKitGTK, by WebDriver: https://www.w3.org/TR/webdriver2/."""

    http: httpx.AsyncClient
    session: str

    async def start(self) -> None:
        await self._post("window/rect", width=WIDTH, height=HEIGHT)

    async def go(self, url: str) -> None:
        await self._post("url", url=url)

    async def evaluate(self, expression: str) -> Any:
        return await self._post("execute/sync", script=f"return {expression}", args=[])

    async def type(self, selector: str, text: str) -> None:
        found: list[dict[str, str]] = []

        async def is_there() -> bool:
            found[:] = await self._post("elements", using="css selector", value=selector)
            return bool(found)

        await until(is_there, within=10, what=f"the element {selector}")
        await self._post(f"element/{found[0][ELEMENT]}/value", text=text)

    async def errors(self) -> list[str]:
        return []

    async def _post(self, path: str, **body: Any) -> Any:
        answer = await self.http.post(f"{self.session}/{path}", json=body)
        if not answer.is_success:
            raise PageError(answer.text)
        return answer.json()["value"]


def firefox_advice() -> str:
    """Return why Firefox cannot be used, "" if it can."""
    return "" if shutil.which("firefox-esr") else "Firefox ESR is not installed: apt-get install firefox-esr"


def webkit_advice() -> str:
    """Return why WebKitGTK cannot be used, "" if it can."""
    if not shutil.which("WebKitWebDriver") or not _mini_browser():
        return "WebKitGTK is not installed: apt-get install webkit2gtk-driver"
    return "" if shutil.which("broadwayd") else "GTK's broadwayd is not installed: apt-get install libgtk-3-bin"


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[OtherBrowser]:
    """Run Firefox without a screen and with a new profile in `folder`."""
    command = ("firefox-esr", "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(folder))
    async with _process(*command, environment={"HOME": str(folder)}) as process:
        url = await _announced(process)
        async with connect(f"{url}/session", max_size=None, ping_interval=None, proxy=None) as socket:
            browser = Firefox(socket=socket)
            await browser.start()
            yield browser


@asynccontextmanager
async def webkit(folder: Path) -> AsyncIterator[OtherBrowser]:
    """Run WebKitGTK's MiniBrowser on a display of broadwayd's, with a new home in `folder`."""
    async with AsyncExitStack() as stack:
        environment = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "GDK_BACKEND": "broadway"}
        environment |= {"BROADWAY_DISPLAY": ":1", "NO_AT_BRIDGE": "1", "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
        # The display's own socket has the runtime folder in its name: every number is free in a new folder.
        display = ("broadwayd", "--unixsocket", str(folder / "web.socket"), ":1")
        await stack.enter_async_context(_process(*display, environment=environment))
        await until((folder / "web.socket").exists, what="the display is there")
        port = free_port()
        driver = ("WebKitWebDriver", f"--port={port}")
        await stack.enter_async_context(_process(*driver, environment=environment))
        yield await _new_session(stack, f"http://127.0.0.1:{port}")


async def _new_session(stack: AsyncExitStack, url: str) -> WebKit:
    """Start the browser; `stack` closes it."""
    await asyncio.to_thread(first_byte, url)
    http = await stack.enter_async_context(
        httpx.AsyncClient(base_url=url, timeout=deadline(ANSWER_SECONDS), trust_env=False)
    )
    options = {"webkitgtk:browserOptions": {"binary": _mini_browser(), "args": ["--automation"]}}
    answer = await http.post("/session", json={"capabilities": {"alwaysMatch": options}})
    assert answer.is_success, answer.text
    session = f"/session/{answer.json()['value']['sessionId']}"
    stack.push_async_callback(http.delete, session)
    browser = WebKit(http=http, session=session)
    await browser.start()
    return browser


@asynccontextmanager
async def _process(*command: str, environment: Mapping[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a program, whose errors are read by the caller or dropped, and end it."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await process.communicate()


async def _announced(process: asyncio.subprocess.Process) -> str:
    """Return the address at which Firefox listens, and drop the rest of what it prints."""
    assert process.stderr
    async with asyncio.timeout(deadline(START_SECONDS)):
        async for line in process.stderr:
            if match := re.search(r"WebDriver BiDi listening on (ws://\S+)", line.decode(errors="replace")):
                return match[1]
    raise AssertionError("Firefox ended without listening")


def _mini_browser() -> str | None:
    return next((path for pattern in MINI_BROWSERS for path in glob.glob(pattern)), None)


BROWSERS: Mapping[str, tuple[Callable[[], str], Callable[[Path], AbstractAsyncContextManager[OtherBrowser]]]] = (
    MappingProxyType({"Firefox": (firefox_advice, firefox), "WebKitGTK": (webkit_advice, webkit)})
)
"""Of each browser, why it cannot be used and how to run it."""
