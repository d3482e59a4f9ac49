"""The routes of the installed app: open where they are of nobody, and closed without a session where of a person."""

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from functools import partial
from types import SimpleNamespace
from typing import cast
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from pages.http.auth_middleware import AuthMiddleware
from pages.http.headers import SecurityHeaders
from pages.installation import routes
from pages.installation.device_routes import device_routes
from pages.installation.head import register_path
from pages.installation.routes import installation_routes
from pages.page.services import Services
from pages.page.session_cookie import SessionCookie
from pages.session.routes import session_routes
from services.auth.sessions import Sessions
from services.people.session_uses import SessionUses, discard_session
from services.push.devices import own_devices
from tests.pages.http.conftest import enter
from tests.push_service import Phone
from tests.world import World

pytestmark = pytest.mark.integration
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 Version/19.0 Mobile Safari/604.1"


@pytest.fixture
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the routes behind the middleware of the app."""
    sessions, cookie = Sessions(world.auth), SessionCookie(SecretStr("a secret of the tests"))
    values = {"auth": world.auth, "cookie": cookie, "database": world.database, "sessions": sessions}
    services = SimpleNamespace(**values, enter_demo=None, session_uses=SessionUses(world.database))
    app = FastAPI()
    for router in (session_routes, device_routes):
        app.include_router(router(cast(Services, services)))
    app.include_router(installation_routes())
    discard = partial(discard_session, world.database)
    app.add_middleware(AuthMiddleware, cookie=cookie, sessions=sessions, discard=discard)
    app.add_middleware(SecurityHeaders)
    transport = httpx.ASGITransport(app, root_path="/watch")
    async with httpx.AsyncClient(transport=transport, base_url="https://app.test/watch") as client:
        yield client


def subscription(phone: Phone, **changes: object) -> dict[str, object]:
    return {"endpoint": phone.endpoint, "keys": {"p256dh": phone.p256dh, "auth": phone.auth}} | changes


async def test_the_manifest_stays_below_the_root_path(http: httpx.AsyncClient) -> None:
    answer = await http.get("/pwa/manifest.webmanifest")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest = answer.json()
    assert (manifest["scope"], manifest["start_url"], manifest["id"]) == ("/watch/", "/watch/", "/watch/")
    urls = [each["url"] for each in manifest["shortcuts"]] + [each["src"] for each in manifest["icons"]]
    assert all(each.startswith("/watch/") for each in [*urls, manifest["share_target"]["action"]])
    assert "maskable" in [each["purpose"] for each in manifest["icons"]]
    for each in manifest["icons"]:
        icon = await http.get(f"https://app.test{each['src']}")
        assert icon.content.startswith(b"\x89PNG")
        width, height = each["sizes"].split("x")
        assert icon.content[16:24] == int(width).to_bytes(4, "big") + int(height).to_bytes(4, "big")


async def test_the_worker_may_control_the_whole_app_and_connect_to_it_only(http: httpx.AsyncClient) -> None:
    answer = await http.get("/pwa/worker.js")
    assert answer.headers["service-worker-allowed"] == "/watch/"
    assert answer.headers["content-security-policy"] == "default-src 'none'; connect-src 'self'"
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_release_with_another_offline_page_has_another_worker(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await http.get("/pwa/worker.js")).content
    assert (await http.get("/pwa/worker.js")).content == before
    page = (await http.get("/pwa/offline")).text
    monkeypatch.setattr(routes, "_offline", lambda root: page + "<!-- the next release -->")
    routes._worker.cache_clear()
    after = (await http.get("/pwa/worker.js")).content
    monkeypatch.undo()
    routes._worker.cache_clear()
    assert after != before


async def test_the_offline_page_runs_its_own_script_only(http: httpx.AsyncClient) -> None:
    answer = await http.get("/pwa/offline")
    (script,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    assert 'data-health="/watch/healthz"' in answer.text


async def test_names_that_are_no_icon_and_paths_out_of_the_folder_are_not_served(http: httpx.AsyncClient) -> None:
    for name in ("none.png", "..%2f..%2fworker.js", "%2e%2e/routes.py"):
        assert (await http.get(f"/pwa/icons/{name}")).status_code == 404
    assert (await http.get(register_path())).headers["cache-control"].endswith("immutable")


@pytest.mark.parametrize("path", ["/push/devices", "/push/devices/remove", "/push/read"])
async def test_without_a_session_nothing_is_written(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.post(path, json=subscription(Phone()))).status_code == 401
    assert (await http.get("/push/unread")).status_code == 303


async def test_a_device_is_added_renewed_and_removed_by_its_own_person_only(
    http: httpx.AsyncClient, world: World
) -> None:
    ada, bob = await world.person(await world.organization()), await world.person(await world.organization())
    old, new = Phone(), Phone()
    await enter(http, ada)
    assert (await http.post("/push/devices", json=subscription(old), headers={"User-Agent": IPHONE})).status_code == 200
    assert (await http.post("/push/devices", json=subscription(new, replaces=old.endpoint))).status_code == 200
    assert len(await own_devices(world.database, ada.identity)) == 1
    await enter(http, bob)
    other = await http.post("/push/devices/remove", json={"endpoint": new.endpoint})
    assert other.json() == {"removed": False}
    await enter(http, ada)
    own = await http.post("/push/devices/remove", json={"endpoint": new.endpoint})
    assert own.json() == {"removed": True}
    assert own.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        [],
        {"endpoint": "https://push.example.com/x"},
        subscription(Phone(host="127.0.0.1")),
        subscription(Phone(), endpoint="http://push.example.com/x"),
        subscription(Phone(), endpoint="x" * 5000),
        subscription(Phone(), keys={"p256dh": "AAAA", "auth": "AAAA"}),
        subscription(Phone(), keys="none"),
    ],
)
async def test_what_no_browser_sends_is_refused(http: httpx.AsyncClient, world: World, body: object) -> None:
    ada = await world.person(await world.organization())
    await enter(http, ada)
    assert (await http.post("/push/devices", json=body)).status_code == 422
    assert await own_devices(world.database, ada.identity) == []


async def test_a_page_of_another_site_adds_no_device(http: httpx.AsyncClient, world: World) -> None:
    await enter(http, await world.person(await world.organization()))
    answer = await http.post(
        "/push/devices", json=subscription(Phone()), headers={"Origin": "https://evil.example.com"}
    )
    assert answer.status_code == 403


async def test_a_group_is_marked_for_who_has_signed_in_and_the_rest_is_told(
    http: httpx.AsyncClient, world: World
) -> None:
    org = await world.organization()
    ada, bob = await world.person(org), await world.person(org)
    for person in (ada, bob):
        for url in (None, "/jobs"):
            insert = (
                "insert into notifications (id, org_id, user_id, title, action_url) values (%s, %s, %s, 'Done', %s)"
            )
            await world.sql(insert, uuid4(), org, person.id, url)
    await enter(http, ada)
    answer = await http.post("/push/read", json={"org": str(org), "tag": "notifications:"})
    assert answer.json() == {"marked": 1, "badge": 1}
    unread = (await http.get("/push/unread")).json()
    assert unread["badge"] == len(unread["groups"]) == 1
    await enter(http, bob)
    assert (await http.get("/push/unread")).json()["badge"] == 2
    assert (await http.post("/push/read", json={"org": "none", "tag": "x"})).status_code == 422
