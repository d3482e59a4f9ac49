"""From nothing to a live bar: the SDK from the app itself, and a terminal that an admin allows."""

import asyncio
import hashlib
import secrets
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from playwright.async_api import expect

from pages.settings.allow import parse_login
from pages.settings.connect import one_line
from services.people.models import Role
from services.sdk_wheel import sdk_wheel
from tests.app_process import AppProcess
from tests.e2e.conftest import SignedIn
from tests.speed import deadline
from tests.world import World, until

pytestmark = pytest.mark.e2e
DIGEST = "ab" * 32


async def test_the_sdk_is_installed_from_the_app(app: AppProcess, tmp_path: Path) -> None:
    wheel = sdk_wheel()
    assert wheel
    async with httpx.AsyncClient(base_url=app.url, timeout=deadline(10)) as http:
        index = await http.get("/sdk/simple/livewatch/")
        assert f'href="../../{wheel.name}#sha256={wheel.digest}"' in index.text
        content = (await http.get(f"/sdk/{wheel.name}")).content
        assert hashlib.sha256(content).hexdigest() == wheel.digest
        assert (await http.get("/sdk/livewatch-9.9-py3-none-any.whl")).status_code == 404
    target = tmp_path / "site"
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", "--target", str(target)]
    command = [*pip, f"{app.url}/sdk/{wheel.name}"]
    await asyncio.to_thread(subprocess.run, command, check=True, timeout=deadline(60))
    shown = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-P", "-c", "import livewatch; print(livewatch.__file__)"],
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
        timeout=deadline(60),
    )
    assert shown.stdout.startswith(str(target))
    assert (target / "bin" / "livewatch").exists()


async def test_an_admin_allows_a_terminal_that_shows_the_same_code(
    world: World, window: SignedIn, app: AppProcess
) -> None:
    org = await world.organization("Works")
    ada, bob = await world.person(org, role=Role.ADMIN), await world.person(org)
    public_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    path = f"/connect/allow?id={public_id}&hash={digest}&name=ada%40%3Cb%3Ehost"
    login = parse_login({"id": public_id, "hash": digest})
    assert login
    async with httpx.AsyncClient(
        base_url=app.url, headers={"Authorization": f"Bearer lw_{public_id}_{secret}"}, timeout=deadline(10)
    ) as http:
        assert (await http.get("/api/v1/me")).status_code == 401
        page = await window(bob, path)
        await expect(page.get_by_text("Only admins connect terminals")).to_be_visible()
        page = await window(ada, path)
        panel = page.get_by_test_id("allow")
        await expect(panel).to_contain_text(login.code)
        await expect(panel).to_contain_text("ada@<b>host")
        await page.get_by_role("button", name="Allow").click()
        await expect(panel).to_contain_text("Connected")

        async def is_admitted() -> bool:  # a refusal is remembered for some seconds
            return (await http.get("/api/v1/me")).status_code == 200

        await until(is_admitted, within=10, what="the key is admitted")
        assert (await http.get("/api/v1/me")).json()["organization"]["name"] == "Works"
        answer = await http.put("/api/v1/streams/hello", json={"total": 3, "advance": 1})
    await page.goto(path)
    await page.get_by_role("button", name="Allow").click()
    await expect(page.get_by_text("This terminal was connected before.")).to_be_visible()
    await page.goto("/streams/by-slug/hello")
    await page.wait_for_url(f"**/streams/{answer.json()['id']}")
    await page.goto("/streams/by-slug/nothing")
    await expect(page.get_by_role("heading", name="Nothing was reported yet")).to_be_visible()


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"id": "abcdef12"},
        {"hash": DIGEST},
        {"id": "UPPER123", "hash": DIGEST},
        {"id": "abcdef12", "hash": DIGEST[:-1]},
        {"id": "abcdef12' or 1=1", "hash": DIGEST},
    ],
)
def test_a_link_that_is_not_whole_is_refused(params: dict[str, str]) -> None:
    assert parse_login(params) is None


async def test_the_first_report_of_any_key_is_seen(world: World, window: SignedIn, app: AppProcess) -> None:
    org = await world.organization()
    ada = await world.person(org, role=Role.ADMIN)
    page = await window(ada, "/connect")
    wheel = sdk_wheel()
    assert wheel
    await expect(page.get_by_text(one_line(app.url, wheel.name))).to_be_visible()
    await world.sql("insert into streams (org_id, name, heartbeat_at) values (%s, 'Hello', now())", org)
    await expect(page.get_by_test_id("first-report")).to_contain_text("First report received: Hello")
