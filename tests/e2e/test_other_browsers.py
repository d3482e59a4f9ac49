"""Firefox and WebKitGTK: a person enters, sees a change live, and is back after an outage without a reload."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from services.entities import Stream
from tests.app_process import AppProcess
from tests.other_browsers import BROWSERS, OtherBrowser, PageError
from tests.proxies import TcpProxy
from tests.world import World, until

pytestmark = pytest.mark.e2e


@pytest.fixture(params=BROWSERS)
async def other(request: pytest.FixtureRequest) -> AsyncIterator[OtherBrowser]:
    advice, run = BROWSERS[request.param]
    if reason := advice():
        pytest.skip(reason)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # a path that is short enough for sockets
        async with run(Path(folder)) as browser:
            yield browser


async def until_true(browser: OtherBrowser, expression: str) -> None:
    async def is_true() -> bool:
        with suppress(PageError):  # between two pages
            return bool(await browser.evaluate(f"Boolean({expression})"))
        return False

    await until(is_true, within=15, what=expression)


def field(id: Any, name: str) -> str:
    return f"""document.querySelector('[data-table="streams"][data-id="{id}"][data-field="{name}"]')?.textContent"""


async def test_a_person_enters_sees_a_change_and_is_back_after_an_outage(
    world: World, app: AppProcess, other: OtherBrowser
) -> None:
    org = await world.organization()
    person = await world.person(org)
    stream = Stream(org_id=org, name="Ströme", completed=1, total=1000)
    await world.insert(stream, by=person)
    async with TcpProxy(app.url) as line:
        await other.go(f"{line.url}/monitoring")
        await other.type('input[name="email"]', person.email)
        await other.type('input[name="password"]', person.password)
        await other.evaluate("""document.querySelector('form [type="submit"]').click() ?? 0""")
        await until_true(
            other, """location.pathname === "/monitoring" && document.body?.dataset.live === "connected" """
        )
        await until_true(other, f"{field(stream.id, 'name')} === {json.dumps(stream.name)}")
        await other.evaluate("window.neverReloaded = 1")
        await world.sql("update streams set completed = 12 where id = %s", stream.id)
        await until_true(other, f"{field(stream.id, 'completed')} === '12'")
        await line.cut()
        await until_true(other, 'document.body?.dataset.live === "disconnected"')
        await world.sql("update streams set completed = 345 where id = %s", stream.id)
        assert await other.evaluate(field(stream.id, "completed")) == "12"
        await line.restore()
        await until_true(other, f"{field(stream.id, 'completed')} === '345'")
        await until_true(other, 'document.body?.dataset.live === "connected"')
        assert await other.evaluate("window.neverReloaded") == 1
    assert await other.errors() == []
