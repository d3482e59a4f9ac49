"""Two devices and a window of one person, live: what is done in one of them is done in the others.

The app of this module may not claim what devices are told, so that the courier of the test does, over its push service.
"""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.async_api import Browser, BrowserContext, Page, expect

from services.infra.database import Database
from services.push.application_key import ApplicationKey
from services.push.courier import PushCourier
from services.push.sender import PushSender
from tests.app_process import AppProcess, project_settings, running
from tests.browser import new_context
from tests.conftest import a_world
from tests.e2e.conftest import enter
from tests.e2e.phones import SHOWN, push, worker_of
from tests.push_service import Phone, PushService, subscribe
from tests.world import Person, World, until

pytestmark = pytest.mark.e2e
NEVER = 1e6
# No window of the app is open on the device, but the page of a browser without a connection.
NO_WINDOW = "/pwa/offline"
ACT = """async ([tag, action]) => {
    const [notification] = await registration.getNotifications({ tag });
    await clicked({ notification, action });
}"""


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    """Yield a world whose app role may not claim what devices are told."""
    async with a_world() as world:
        await world.sql("revoke execute on function private.claim_pushes(integer, interval) from livewatch_app")
        yield world


@pytest.fixture(scope="module")
async def app(world: World, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AppProcess]:
    async with running(project_settings(world.status, tmp_path_factory.mktemp("app"))) as process:
        yield process


class Scene:
    """A person with two devices, and the push service that reaches them."""

    def __init__(self, world: World, ada: Person, courier: PushCourier) -> None:
        self.world, self.ada, self._courier = world, ada, courier
        self.devices: list[tuple[Phone, BrowserContext, Page]] = []
        self._carried: dict[str, int] = {}

    async def carry(self) -> None:
        """Let the courier tell what is due, and the browsers have what their push service got."""
        await self._courier.deliver_due()
        for phone, _, page in self.devices:
            for each in phone.received[self._carried.get(phone.id, 0) :]:
                await push(page, raw=each.plain.decode())
            self._carried[phone.id] = len(phone.received)

    async def all_show(self, *titles: str) -> None:
        """Wait until every device shows notifications with these titles."""

        async def do() -> bool:
            await self.carry()
            found = [[each["title"] for each in await page.evaluate(SHOWN)] for _, _, page in self.devices]
            return all(sorted(each) == sorted(titles) for each in found)

        await until(do, within=15, what=f"all devices show {titles}")

    @property
    def badges(self) -> set[int]:
        return {phone.shown[-1]["badge"] for phone, _, _ in self.devices}

    async def notify(self, org: UUID, title: str, url: str | None = None) -> None:
        insert = "insert into notifications (org_id, user_id, title, action_url) values (%s, %s, %s, %s)"
        await self.world.sql(insert, org, self.ada.id, title, url)


@pytest.fixture
async def scene(world: World, app: AppProcess, browser: Browser) -> AsyncIterator[Scene]:
    ada, service = await world.person(await world.organization()), PushService()
    key = ApplicationKey(ec.generate_private_key(ec.SECP256R1()))
    async with (
        Database(world.status.database_url) as owner,
        PushSender(key, transport=service) as sender,
    ):
        courier = PushCourier(owner, sender, interval=NEVER)
        scene = Scene(world, ada, courier)
        for _ in range(2):
            context = await new_context(browser, base_url=app.url, service_workers="allow")
            await context.grant_permissions(["notifications"])
            await enter(context, ada)
            page = await context.new_page()
            await page.route("**/healthz", lambda route: route.abort())
            await page.goto("/settings")
            await page.wait_for_function("() => navigator.serviceWorker.controller")
            await page.goto(NO_WINDOW)
            phone = service.phone()
            await subscribe(world, ada, phone)
            scene.devices.append((phone, context, page))
        yield scene
        for _, context, _ in scene.devices:
            await context.close()
        await courier.aclose()


async def opened(browser: Browser, app: AppProcess, person: Person) -> Page:
    context = await new_context(browser, base_url=app.url, viewport={"width": 1440, "height": 900})
    await enter(context, person)
    page = await context.new_page()
    await page.goto("/notifications")
    await page.wait_for_selector('body[data-live="connected"]')
    return page


async def test_what_is_read_in_the_window_or_on_one_device_leaves_the_others(
    scene: Scene, world: World, app: AppProcess, browser: Browser
) -> None:
    [[org]] = await world.sql("select org_id from org_members where user_id = %s", scene.ada.id)
    window = await opened(browser, app, scene.ada)
    await scene.notify(org, "First")
    await scene.notify(org, "Second", "/jobs")
    await scene.all_show("First", "Second")
    await expect(window).to_have_title("(2) Notifications · Livewatch")
    assert scene.badges == {2}

    row = window.locator("[data-table=notifications][role=listitem]", has_text="First")
    await row.get_by_role("button", name="Mark as read").click()
    await scene.all_show("Second")
    await expect(window).to_have_title("(1) Notifications · Livewatch")
    assert scene.badges == {1}

    _, first, page = scene.devices[0]
    found: list[dict[str, Any]] = await page.evaluate(SHOWN)
    await worker_of(first).evaluate(ACT, [found[0]["tag"], "read"])
    await expect(window).to_have_title("Notifications · Livewatch")
    await scene.all_show()
    assert scene.badges == {0}
    read = "select count(*) from notifications where user_id = %s and read_at is null"
    assert await world.sql(read, scene.ada.id) == [(0,)]
    await window.context.close()
